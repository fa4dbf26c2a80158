/** Opens a mail, and once more when its signature is by a key that nobody has vouched for and a look-up has found more. */
import type { KeyFinder } from '../keys/find.ts'
import type { Findings, PackedRing } from '../protection/jobs.ts'
import { authorOf } from '../protection/author.ts'
import type { Reply } from '../protocol/smtp-reply.ts'
import type { ArrivedMail, OpenedMail } from './arrived-mail.ts'
import type { ProtectionPool } from './protect.ts'

export interface OpenedWith {
  /** One for each recipient. */
  readonly rings: readonly PackedRing[]
  readonly opened: OpenedMail
}

export async function openKnowingAuthor(
  { pool, finder }: { readonly pool: ProtectionPool; readonly finder: KeyFinder },
  arrived: ArrivedMail,
  ringsFor: () => Promise<readonly PackedRing[]>,
  atMs: number,
): Promise<OpenedWith | Reply> {
  const rings = await ringsFor()
  const opened = await arrived.open(pool, rings, atMs)
  if ('code' in opened) return opened
  const author = authorOf(arrived.message)
  const asks = opened.reports.some((report) => mayLearn(report, finder))
  if (!asks || 'problem' in author || !(await finder.learn(author.address))) return { rings, opened }
  await opened[Symbol.asyncDispose]()
  const more = await ringsFor()
  const again = await arrived.open(pool, more, atMs)
  return 'code' in again ? again : { rings: more, opened: again }
}

/**
 * Whether a look-up may turn the verdict. Not where something was decrypted in a way that does not prove its content: that
 * the author's own server is asked would tell an attacker, who has changed the ciphertext, what came out.
 */
function mayLearn({ summary, signers, layers }: Findings, finder: KeyFinder): boolean {
  if (layers.some(({ kind, standard }) => kind === 'encrypted' && !finder.finds(standard))) return false
  return (
    summary.signature === 'unknown-key' ||
    signers.some(({ verdict, standard }) => verdict === 'untrusted' && finder.finds(standard))
  )
}
