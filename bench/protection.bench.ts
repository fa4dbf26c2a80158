/**
 * Sign + encrypt and decrypt + verify with our CMS, as rates and as ratios: to the floor (the bare node:crypto
 * operations of the same mail, nothing else) and to pkijs, measured alternately in one run. Rates are per second of CPU.
 */
import {
  type KeyObject,
  constants,
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { Collector } from '../src/base/byte-sink.ts'
import { concatBytes } from '../src/base/bytes.ts'
import { parseCertificate } from '../src/protection/smime/certificate.ts'
import { envelopSink } from '../src/protection/smime/cms/envelop.ts'
import { openEnvelope } from '../src/protection/smime/cms/open-envelope.ts'
import { signedDataSink } from '../src/protection/smime/cms/sign.ts'
import { findSigner, readSignedData, verifySigner } from '../src/protection/smime/cms/signed-data.ts'
import type { EncryptionChoice } from '../src/protection/standard.ts'
import { type SmimeIdentity, smimeIdentity } from '../test/support/smime-identity.ts'
import { type PkijsPair, makePkijs } from './pkijs-reference.ts'

export interface BenchRow {
  readonly case: string
  /** Per second of CPU. */
  readonly opsPerSecond: number
  /** Our rate as a part of the floor's; 1 would be no cost besides the cryptography. */
  readonly ofFloor: number
  /** Our rate as a multiple of pkijs's; missing where pkijs was not run or failed. */
  readonly timesPkijs?: number
}

export interface BenchOptions {
  /** Time for each operation of each case. */
  readonly msPerCase: number
}

const SIZES = { '5 kB': 5_000, '100 kB': 100_000, '10 MB': 10_000_000 }
const CIPHERS = ['aes-256-cbc', 'aes-256-gcm'] as const
const KEYS = ['rsa-2048', 'p256'] as const
/** What pkijs can do: it knows no AuthEnvelopedData, and asn1js stops at 16 MiB. */
const PKIJS_CIPHER = 'aes-256-cbc'
const PKIJS_MAX_BYTES = 1_000_000
/** Size of the pieces in which a mail comes from a socket or a file. */
const CHUNK_BYTES = 64 * 2 ** 10

export async function run({ msPerCase }: BenchOptions = { msPerCase: 600 }): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const key of KEYS)
    for (const cipher of CIPHERS)
      for (const [sizeName, bytes] of Object.entries(SIZES)) {
        const identity = smimeIdentity(key)
        const choice = { cipher, keyTransport: key === 'rsa-2048' ? 'rsa-oaep' : 'rsa-pkcs1' } as const
        const content = Buffer.from(randomBytes(bytes / 2).toString('hex'))
        const withPkijs = cipher === PKIJS_CIPHER && bytes <= PKIJS_MAX_BYTES
        const pkijs = withPkijs ? await makePkijs(identity) : undefined
        rows.push(...(await runCase(`${sizeName} ${key} ${cipher}`, { identity, choice, content, pkijs }, msPerCase)))
      }
  return rows
}

interface Case {
  readonly identity: SmimeIdentity
  readonly choice: EncryptionChoice
  readonly content: Uint8Array
  readonly pkijs: PkijsPair | undefined
}

async function runCase(name: string, { identity, choice, content, pkijs }: Case, ms: number): Promise<BenchRow[]> {
  const sealed = seal(identity, choice, content)
  const bytes = concatBytes(sealed.chunks)
  const floor = makeFloor(identity, choice, content)
  const theirs = await pkijs?.seal(content)
  const sealing = await measure(ms, [
    () => seal(identity, choice, content),
    () => floor.seal(),
    ...(pkijs === undefined ? [] : [() => pkijs.seal(content)]),
  ])
  const opening = await measure(ms, [
    () => open(identity, bytes, sealed.signatureBytes),
    () => floor.open(),
    ...(pkijs === undefined || theirs === undefined ? [] : [() => pkijs.open(theirs)]),
  ])
  return [toRow(`sign + encrypt   ${name}`, sealing), toRow(`decrypt + verify ${name}`, opening)]
}

function toRow(name: string, [ours = 0, floor = 0, pkijs]: readonly number[]): BenchRow {
  const row = { case: name, opsPerSecond: ours, ofFloor: ours / floor }
  return pkijs === undefined ? row : { ...row, timesPkijs: ours / pkijs }
}

/** As multipart/signed goes into an envelope: the content passes the signer and the envelope, then comes the signature. */
function seal(identity: SmimeIdentity, choice: EncryptionChoice, content: Uint8Array): Sealed {
  const [out, signature] = [new Collector(), new Collector()]
  const envelope = envelopSink({ recipients: [identity.certificate], choice }, out)
  const options = { keys: [identity], detached: true, choice: {}, signingTimeMs: 1_800_000_000_000 }
  const signer = signedDataSink(options, signature)
  for (let at = 0; at < content.length; at += CHUNK_BYTES) {
    const chunk = content.subarray(at, at + CHUNK_BYTES)
    signer.write(chunk)
    envelope.write(chunk)
  }
  signer.end()
  const signatureBytes = concatBytes(signature.take())
  envelope.write(signatureBytes)
  envelope.end()
  return { chunks: out.take(), signatureBytes: signatureBytes.length }
}

interface Sealed {
  readonly chunks: readonly Uint8Array[]
  readonly signatureBytes: number
}

function open(identity: SmimeIdentity, bytes: Uint8Array, signatureBytes: number): void {
  const opened = openEnvelope(bytes, [identity])
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

interface Floor {
  seal(): void
  open(): void
}

/** The primitives of one mail: hash, sign, give away a content key, encrypt, and back. No structures, no copies. */
function makeFloor({ certificate, key }: SmimeIdentity, choice: EncryptionChoice, content: Uint8Array): Floor {
  const attributes = randomBytes(400) // as long as the signed attributes are
  const signature = sign('sha256', attributes, key)
  const [contentKey, iv] = [randomBytes(32), randomBytes(choice.cipher === 'aes-256-gcm' ? 12 : 16)]
  const transport = certificate.publicKey.asymmetricKeyType === 'rsa' ? rsaFloor(key) : ecdhFloor(key)
  const ciphertext = encryptBare(choice, contentKey, iv, content)
  return {
    seal: () => {
      hash('sha256', content, 'buffer')
      sign('sha256', attributes, key)
      randomBytes(48)
      transport.give(certificate.publicKey, contentKey)
      encryptBare(choice, contentKey, iv, content)
    },
    open: () => {
      transport.take()
      decryptBare(choice, contentKey, iv, ciphertext)
      hash('sha256', content, 'buffer')
      verify('sha256', attributes, certificate.publicKey, signature)
    },
  }
}

interface Transport {
  give(publicKey: KeyObject, contentKey: Uint8Array): void
  take(): void
}

function rsaFloor(key: KeyObject): Transport {
  const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
  const given = publicEncrypt({ key, ...padding }, randomBytes(32))
  return {
    give: (publicKey, contentKey) => publicEncrypt({ key: publicKey, ...padding }, contentKey),
    take: () => privateDecrypt({ key, ...padding }, given),
  }
}

function ecdhFloor(key: KeyObject): Transport {
  const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const spki = other.publicKey.export({ format: 'der', type: 'spki' })
  const [wrappingKey, iv] = [randomBytes(32), Buffer.alloc(8, 0xa6)]
  const wrap = (contentKey: Uint8Array): Buffer => createCipheriv('id-aes256-wrap', wrappingKey, iv).update(contentKey)
  const wrapped = wrap(randomBytes(32))
  return {
    give: (publicKey, contentKey) => {
      const oneTime = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      oneTime.publicKey.export({ format: 'raw-public' })
      diffieHellman({ privateKey: oneTime.privateKey, publicKey })
      hash('sha256', contentKey, 'buffer')
      wrap(contentKey)
    },
    take: () => {
      const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' }) // it comes with the mail
      diffieHellman({ privateKey: key, publicKey })
      hash('sha256', wrapped, 'buffer')
      createDecipheriv('id-aes256-wrap', wrappingKey, iv).update(wrapped)
    },
  }
}

interface Ciphertext {
  readonly bytes: Uint8Array
  readonly rest: Uint8Array
  readonly tag: Uint8Array | undefined
}

function encryptBare({ cipher }: EncryptionChoice, key: Uint8Array, iv: Uint8Array, content: Uint8Array): Ciphertext {
  if (cipher !== 'aes-256-gcm') {
    const running = createCipheriv('aes-256-cbc', key, iv)
    return { bytes: running.update(content), rest: running.final(), tag: undefined }
  }
  const running = createCipheriv('aes-256-gcm', key, iv)
  return { bytes: running.update(content), rest: running.final(), tag: running.getAuthTag() }
}

function decryptBare({ cipher }: EncryptionChoice, key: Uint8Array, iv: Uint8Array, ciphertext: Ciphertext): void {
  if (cipher !== 'aes-256-gcm' || ciphertext.tag === undefined) {
    const running = createDecipheriv('aes-256-cbc', key, iv)
    running.update(ciphertext.bytes)
    running.update(ciphertext.rest)
    running.final()
    return
  }
  const running = createDecipheriv('aes-256-gcm', key, iv)
  running.setAuthTag(ciphertext.tag)
  running.update(ciphertext.bytes)
  running.final()
}

/** Rates per second of CPU, all threads; the operations take turns so that a noisy neighbour hits all of them alike. */
async function measure(ms: number, operations: readonly (() => unknown)[]): Promise<number[]> {
  const spentMs = operations.map(() => 0)
  const counts = operations.map(() => 0)
  for (const operation of operations) await repeat(operation, ms / 2) // a server's code is warm
  while (Math.min(...spentMs) < ms)
    for (const [i, operation] of operations.entries()) {
      const startMs = cpuMs()
      counts[i] = (counts[i] ?? 0) + (await repeat(operation, ms / 10))
      spentMs[i] = (spentMs[i] ?? 0) + cpuMs() - startMs
    }
  return operations.map((_, i) => ((counts[i] ?? 0) / (spentMs[i] ?? 1)) * 1000)
}

async function repeat(operation: () => unknown, ms: number): Promise<number> {
  const endMs = performance.now() + ms
  let count = 0
  do {
    const result = operation()
    if (result instanceof Promise) await result
    count++
  } while (performance.now() < endMs)
  return count
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

export function formatRows(rows: readonly BenchRow[]): string {
  const lines = rows.map((row) => {
    const rate = row.opsPerSecond.toFixed(row.opsPerSecond < 100 ? 1 : 0).padStart(8)
    const pkijs = row.timesPkijs === undefined ? '' : `${row.timesPkijs.toFixed(1).padStart(6)} x pkijs`
    return `${row.case.padEnd(48)}${rate}/s  ${(row.ofFloor * 100).toFixed(0).padStart(3)} % of the floor${pkijs}`
  })
  return `${lines.join('\n')}\n`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.stdout.write(formatRows(await run()))
