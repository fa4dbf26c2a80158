/** What intermediaries say they found, each sealing the word of those before it (ARC, RFC 8617). */
import { fromLatin1 } from '../base/bytes.ts'
import type { DnsAsk } from '../base/dns-client.ts'
import type { Domain } from '../message/address.ts'
import { fieldBody, isField } from '../message/header-field.ts'
import type { HeaderField } from '../message/part.ts'
import type { BodyAsked, BodyHashes } from './body-hash.ts'
import { canonicalField } from './canonical.ts'
import {
  type DkimSignature,
  parseDkimSignature,
  signatureTags,
  signedHeader,
  withoutSignature,
} from './dkim-signature.ts'
import { anyVerifies, keysFor } from './dkim-verify.ts'
import { parseTagList } from './tag-list.ts'

/** Each hop costs a look-up and a verification; the chains one sees have one to four. RFC 8617 §4.2.1 ends at 50. */
const HOPS_MAX = 10

interface ArcSet {
  /** What this hop found, behind its own name. */
  readonly results: HeaderField
  readonly message: HeaderField
  readonly seal: HeaderField
}

/** A chain whose form is right. */
export interface ArcChain {
  readonly sets: readonly ArcSet[]
  /** Of the last hop: the message as that one had it. */
  readonly newest: DkimSignature
}

export interface ArcResult {
  readonly result: 'none' | 'pass' | 'fail'
  readonly why?: string
  /** Who sealed, the first hop first; of a chain that passes. */
  readonly sealers: readonly Domain[]
  /** What the first hop found, in the form of Authentication-Results; of a chain that passes. */
  readonly firstResults?: string
}

/** RFC 8617 §5.2, steps 1 to 3: everything that needs no key. */
export function readArc(fields: readonly HeaderField[]): ArcChain | ArcResult {
  const named = (name: string) => fields.filter((field) => isField(field, name))
  const seals = named('ARC-Seal')
  const messages = named('ARC-Message-Signature')
  const results = named('ARC-Authentication-Results')
  const hops = seals.length
  if (hops + messages.length + results.length === 0) return { result: 'none', sealers: [] }
  if (hops > HOPS_MAX) return failed('the chain is too long')
  if (messages.length !== hops || results.length !== hops) return failed('a hop is not whole')
  const sets: ArcSet[] = []
  for (let instance = 1; instance <= hops; instance++) {
    const at = (candidates: readonly HeaderField[]) => candidates.filter((field) => instanceOf(field) === instance)
    const [[seal, ...seals2], [message, ...messages2], [found, ...results2]] = [at(seals), at(messages), at(results)]
    if (seal === undefined || message === undefined || found === undefined) return failed('a hop is missing')
    if (seals2.length + messages2.length + results2.length > 0) return failed('a hop is there twice')
    if (parseTagList(fieldBody(seal))?.get('cv') !== (instance === 1 ? 'none' : 'pass'))
      return failed('a hop found the chain broken')
    sets.push({ results: found, message, seal })
  }
  const newest = parseDkimSignature((sets.at(-1) as ArcSet).message, 'arc')
  if ('problem' in newest) return failed(newest.why)
  if (newest.signedFields.includes('arc-seal')) return failed('the newest hop signs seals') // RFC 8617 §4.1.2
  return { sets, newest }
}

export const arcBody = (chain: ArcChain | ArcResult): readonly BodyAsked[] => ('sets' in chain ? [chain.newest] : [])

/** RFC 8617 §5.2, steps 4 and 5. */
export async function verifyArc(
  fields: readonly HeaderField[],
  chain: ArcChain | ArcResult,
  bodies: BodyHashes,
  ask: DnsAsk,
): Promise<ArcResult> {
  if (!('sets' in chain)) return chain
  const { newest, sets } = chain
  if (bodies.judge(newest) !== 'whole') return failed('the body has been changed')
  const signer = await keysFor(newest, ask)
  if ('result' in signer) return failed(signer.why)
  if (!(await anyVerifies(signer.keys, newest, signedHeader(fields, newest))))
    return failed('the newest signature does not verify')
  const sealers = await Promise.all(sets.map((_set, index) => sealerOf(sets.slice(0, index + 1), ask)))
  if (!sealers.every((sealer) => sealer !== undefined)) return failed('a seal does not verify')
  const first = (sets[0] as ArcSet).results
  return { result: 'pass', sealers, firstResults: fieldBody(first).replace(/^[^;]*;/, '') }
}

const failed = (why: string): ArcResult => ({ result: 'fail', why, sealers: [] })

/** `i=` is a tag of signatures and seals, and stands before the results (RFC 8617 §4.1.1). */
function instanceOf(field: HeaderField): number {
  const [, digits = ''] = /(?:^|;)\s*i\s*=\s*(\d{1,3})\s*(?:;|$)/.exec(fieldBody(field)) ?? []
  return Number(digits)
}

/** Who sealed the last of these hops; `undefined` when the seal is not theirs (RFC 8617 §5.1.1). */
async function sealerOf(sets: readonly ArcSet[], ask: DnsAsk): Promise<Domain | undefined> {
  const { seal } = sets.at(-1) as ArcSet
  const tags = parseTagList(fieldBody(seal))
  const signature = tags && signatureTags(tags)
  if (tags === undefined || signature === undefined || 'problem' in signature || tags.has('h')) return undefined
  const sealed = sets
    .flatMap((set) => [set.results, set.message, set.seal])
    .map((field) => canonicalField(field, 'relaxed'))
  const own = withoutSignature(sealed.pop() as string)
  const found = await keysFor({ ...signature, identityDomain: signature.domain }, ask)
  if ('result' in found) return undefined
  const isRight = await anyVerifies(found.keys, signature, fromLatin1(sealed.join('') + own))
  return isRight ? signature.domain : undefined
}
