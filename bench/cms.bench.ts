/** Sign + encrypt and decrypt + verify with our CMS, as multiples of the floor's rate and of pkijs's. */
import { randomBytes } from 'node:crypto'
import { Collector } from '../src/base/byte-sink.ts'
import { concatBytes } from '../src/base/bytes.ts'
import { parseCertificate } from '../src/protection/smime/x509/certificate.ts'
import { envelopSink } from '../src/protection/smime/cms/envelop.ts'
import { openEnvelope } from '../src/protection/smime/cms/open-envelope.ts'
import { signedDataSink } from '../src/protection/smime/cms/sign.ts'
import { findSigner, readSignedData, verifySigner } from '../src/protection/smime/cms/signed-data.ts'
import type { EncryptionChoice } from '../src/protection/standard.ts'
import { type SmimeIdentity, smimeIdentity } from '../test/support/smime-identity.ts'
import { type Floor, cmsFloor } from './floor.ts'
import { type Measured, measureInTurns } from './measure.ts'
import { type PkijsPair, makePkijs } from './pkijs-reference.ts'
import type { Comparison, Effort, Row } from './row.ts'

const SIZES = { '5 kB': 5_000, '100 kB': 100_000, '10 MB': 10_000_000 }
const KEYS = ['rsa-2048', 'p256'] as const
const CIPHERS = ['aes-256-cbc', 'aes-256-gcm'] as const
/** What pkijs can do: it knows no AuthEnvelopedData, and asn1js stops at 16 MiB. */
const PKIJS_CIPHER = 'aes-256-cbc'
const PKIJS_MAX_BYTES = 1_000_000
/** Size of the pieces in which a mail comes from a socket or a file. */
export const CHUNK_BYTES = 64 * 2 ** 10

/** Of the floor's rate, with RSA. */
export const FLOOR_AIMS: Readonly<Record<string, number>> = { '5 kB': 0.65, '10 MB': 0.8 }
const PKIJS_AIMS = { seal: 5, open: 12 }

/** A smoke run takes small mails only. */
export const sizesFor = ({ smoke }: Effort): readonly (readonly [name: string, bytes: number])[] =>
  Object.entries(SIZES).slice(0, smoke ? 1 : undefined)

export async function cmsRows(effort: Effort): Promise<Row[]> {
  const rows: Row[] = []
  for (const key of KEYS)
    for (const cipher of CIPHERS)
      for (const [size, bytes] of sizesFor(effort)) {
        const identity = smimeIdentity(key)
        const choice = { cipher, keyTransport: key === 'rsa-2048' ? 'rsa-oaep' : 'rsa-pkcs1' } as const
        const content = Buffer.from(randomBytes(bytes / 2).toString('hex'))
        const withPkijs = cipher === PKIJS_CIPHER && bytes <= PKIJS_MAX_BYTES
        const pkijs = withPkijs ? await makePkijs(identity) : undefined
        const pair = { signer: identity, reader: identity }
        const floor = cmsFloor(pair, choice, content)
        const one = { size, name: `CMS: WHAT, ${size}, ${key}, ${cipher}`, pair, choice, content, floor, pkijs }
        rows.push(...(await rowsOf(one, effort)))
      }
  return rows
}

/** Who signs, and who reads; in many cases one and the same. */
export interface Pair {
  readonly signer: SmimeIdentity
  readonly reader: SmimeIdentity
}

export interface CmsCase {
  readonly size: string
  /** With `WHAT` where it says what is done. */
  readonly name: string
  readonly pair: Pair
  readonly choice: EncryptionChoice
  readonly content: Uint8Array
  readonly floor: Floor
  readonly pkijs?: PkijsPair | undefined
}

export const rowsOf = async (one: CmsCase, effort: Effort): Promise<Row[]> => [
  await sealRow(one, effort),
  await openRow(one, effort),
]

async function sealRow(one: CmsCase, { msPerOperation }: Effort): Promise<Row> {
  const { pair, choice, content, floor, pkijs } = one
  const measured = await measureInTurns(msPerOperation, [
    () => seal(pair, choice, content),
    () => floor.seal(),
    ...(pkijs === undefined ? [] : [() => pkijs.seal(content)]),
  ])
  return rowOf(one, 'sign + encrypt', measured, PKIJS_AIMS.seal)
}

async function openRow(one: CmsCase, { msPerOperation }: Effort): Promise<Row> {
  const { pair, choice, content, floor, pkijs } = one
  const { chunks, signatureBytes } = seal(pair, choice, content)
  const bytes = concatBytes(chunks)
  const theirs = await pkijs?.seal(content)
  const measured = await measureInTurns(msPerOperation, [
    () => open(pair, bytes, signatureBytes),
    () => floor.open(),
    ...(pkijs === undefined || theirs === undefined ? [] : [() => pkijs.open(theirs)]),
  ])
  return rowOf(one, 'decrypt + verify', measured, PKIJS_AIMS.open)
}

function rowOf({ size, name, pair }: CmsCase, what: string, measured: readonly Measured[], pkijsAim: number): Row {
  const [ours, floor, pkijs] = measured
  if (ours === undefined || floor === undefined) throw new Error('nothing was measured')
  const isRsa = pair.signer.key.asymmetricKeyType === 'rsa'
  const floorAim = isRsa ? FLOOR_AIMS[size] : undefined
  const against: Comparison[] = [
    { reference: 'floor', ratio: ours.perSecond / floor.perSecond, ...aimOf(floorAim) },
    ...(pkijs === undefined
      ? []
      : [{ reference: 'pkijs', ratio: ours.perSecond / pkijs.perSecond, ...aimOf(isRsa ? pkijsAim : undefined) }]),
  ]
  return { case: name.replace('WHAT', what), value: ours.perSecond, unit: '/s', ...timesOf(ours), against }
}

const aimOf = (atLeast: number | undefined): Pick<Comparison, 'aim'> =>
  atLeast === undefined ? {} : { aim: { atLeast } }
const timesOf = ({ p50Ms, p99Ms }: Measured): Pick<Row, 'p50Ms' | 'p99Ms'> => ({ p50Ms, p99Ms })

interface Sealed {
  readonly chunks: readonly Uint8Array[]
  readonly signatureBytes: number
}

/** As multipart/signed goes into an envelope: the content passes the signer and the envelope, then comes the signature. */
export function seal({ signer, reader }: Pair, choice: EncryptionChoice, content: Uint8Array): Sealed {
  const [out, signature] = [new Collector(), new Collector()]
  const envelope = envelopSink({ recipients: [reader.certificate], choice }, out)
  const options = { keys: [signer], detached: true, choice: {}, signingTimeMs: 1_800_000_000_000 }
  const signing = signedDataSink(options, signature)
  for (let at = 0; at < content.length; at += CHUNK_BYTES) {
    const chunk = content.subarray(at, at + CHUNK_BYTES)
    signing.write(chunk)
    envelope.write(chunk)
  }
  signing.end()
  const signatureBytes = concatBytes(signature.take())
  envelope.write(signatureBytes)
  envelope.end()
  return { chunks: out.take(), signatureBytes: signatureBytes.length }
}

export function open({ reader }: Pair, bytes: Uint8Array, signatureBytes: number): void {
  const opened = openEnvelope(bytes, [reader])
  if (opened.kind !== 'decrypted') throw new Error(`not opened: ${opened.kind}`)
  const content = opened.content.subarray(0, -signatureBytes)
  const signedData = readSignedData(opened.content.subarray(-signatureBytes))
  if (!signedData.ok) throw new Error(signedData.error)
  const { signerInfos, certificates } = signedData.value
  const carried = certificates.map(parseCertificate).flatMap((parsed) => (parsed.ok ? [parsed.value] : []))
  const signer = signerInfos[0] === undefined ? undefined : findSigner(signerInfos[0], carried)
  if (signer === undefined || signerInfos[0] === undefined) throw new Error('no signer')
  const check = verifySigner(signedData.value, signerInfos[0], content, signer, { allowWeak: false })
  if (!check.intact) throw new Error(check.why)
}
