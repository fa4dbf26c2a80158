/** Whole mails as the worker threads do them: MIME, header protection and all, in the patent's order, to two recipients. */
import { Collector } from '../src/base/byte-sink.ts'
import { concatBytes } from '../src/base/bytes.ts'
import { type PackedKey, type PeelJob, type WrapJob, packCertificate, packKey } from '../src/protection/jobs.ts'
import { runPeel, startWrap } from '../src/protection/jobs.ts'
import { type IdentityKind, type SmimeIdentity, smimeIdentity } from '../test/support/smime-identity.ts'
import { CHUNK_BYTES, FLOOR_AIMS, sizesFor } from './cms.bench.ts'
import { type Floor, mailFloor } from './floor.ts'
import { measureInTurns } from './measure.ts'
import type { Effort, Row } from './row.ts'
import { type SampleMail, sampleMail } from './sample-mail.ts'

const SENDER = 't-azuma@biglobe.ne.jp'
const RECIPIENT = 'u-suzuki@abc.com'
/** What the server writes by default to somebody of whom it knows nothing. */
const CHOICE = {}

export async function mailRows(effort: Effort): Promise<Row[]> {
  const rows: Row[] = []
  for (const kind of ['rsa-2048', 'p256'] as const)
    for (const [size, bytes] of sizesFor(effort)) rows.push(...(await rowsOf(kind, size, bytes, effort)))
  return rows
}

async function rowsOf(kind: IdentityKind, size: string, bytes: number, effort: Effort): Promise<Row[]> {
  const [sender, recipient] = [smimeIdentity(kind, SENDER), smimeIdentity(kind, RECIPIENT)]
  const mail = sampleMail(bytes, SENDER, RECIPIENT)
  const floor = mailFloor(sender, [recipient, sender], CHOICE, mail.body)
  const [wrapping, peeling] = [wrapJob(sender, recipient, mail), peelJob(sender, recipient)]
  const raw = seal(wrapping, mail.body)
  return [
    await row('sign + encrypt', kind, size, effort, () => seal(wrapping, mail.body), floor.seal),
    await row('decrypt + verify', kind, size, effort, () => open({ ...peeling, raw }), floor.open),
  ]
}

async function row(
  what: string,
  kind: IdentityKind,
  size: string,
  { msPerOperation }: Effort,
  ours: () => unknown,
  floor: Floor['seal'],
): Promise<Row> {
  const [mine, bare] = await measureInTurns(msPerOperation, [ours, floor])
  if (mine === undefined || bare === undefined) throw new Error('nothing was measured')
  const aim = kind === 'rsa-2048' ? FLOOR_AIMS[size] : undefined
  return {
    case: `mail: ${what}, ${size}, ${kind}`,
    value: mine.perSecond,
    unit: '/s',
    p50Ms: mine.p50Ms,
    p99Ms: mine.p99Ms,
    against: [
      {
        reference: 'floor',
        ratio: mine.perSecond / bare.perSecond,
        ...(aim === undefined ? {} : { aim: { atLeast: aim } }),
      },
    ],
  }
}

export function wrapJob(sender: SmimeIdentity, recipient: SmimeIdentity, mail: SampleMail): WrapJob {
  const recipients = [recipient, sender].map(({ certificate }) => packCertificate(certificate))
  const copy = {
    kind: 'wrapped',
    layering: 'encrypt-sign',
    standard: 'smime' as const,
    signers: [packOwn(sender)],
    recipients,
    signing: {},
    encryption: CHOICE,
    headerProtection: true,
  } as const
  const trace = Buffer.from('Received: from terminal by mail.biglobe.ne.jp; Mon, 1 Jun 2026 09:00:00 +0900\r\n')
  return { kind: 'wrap', header: mail.header, trace, signingTimeMs: Date.now(), copies: [copy] }
}

export function peelJob(sender: SmimeIdentity, recipient: SmimeIdentity): Omit<PeelJob, 'raw'> {
  const known = { ...packCertificate(sender.certificate), trust: 'confirmed' } as const
  const ring = { decryptionKeys: [packOwn(recipient)], known: [known], anchors: [], allowWeak: false }
  return { kind: 'peel', atMs: Date.now(), rings: [ring] }
}

const packOwn = ({ certificate, key }: SmimeIdentity): PackedKey => packKey({ certificate, chain: [], key })

function seal(job: WrapJob, body: Uint8Array): Uint8Array {
  const out = new Collector()
  const sink = startWrap(job, [out])
  for (let at = 0; at < body.length; at += CHUNK_BYTES) sink.write(body.subarray(at, at + CHUNK_BYTES))
  sink.end()
  return concatBytes(out.take())
}

function open(job: PeelJob): void {
  const [report] = runPeel(job)
  const { signature, encrypted } = report?.summary ?? {}
  if (signature !== 'valid' || encrypted !== true) throw new Error(`not opened: ${JSON.stringify(report?.layers)}`)
}
