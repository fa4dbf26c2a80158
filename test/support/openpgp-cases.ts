/** What is tried with programs that know OpenPGP: one text, people with keys, and the layers that we make and open. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { Collector } from '../../src/base/byte-sink.ts'
import { parseAddress } from '../../src/message/address.ts'
import { parsePart } from '../../src/message/parse.ts'
import { type CertificateProfile, makeCertificate } from '../../src/protection/openpgp/certificate/make.ts'
import { writeTransferableSecretKey } from '../../src/protection/openpgp/certificate/transferable.ts'
import { openpgp } from '../../src/protection/openpgp/openpgp.ts'
import type { EncryptionChoice, KeyRing, Opened, OwnKey, ProtectedSink } from '../../src/protection/standard.ts'
import type { OpenpgpProgram } from './openpgp-program.ts'

export const TEXT = 'Guten Tag, Welt! é 日本\r\n.\r\nFrom here on\r\n- dashes\r\nno blanks at the end\r\n\r\nend\r\n'
/** Programs count in seconds, and believe no key of the future. */
const CLOCK_SKEW_MS = 10_000
export const CONTENT = Buffer.from(
  `Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${TEXT}`,
)

export interface Person {
  readonly own: OwnKey
  readonly secret: Buffer
  readonly certificate: Buffer
}

export async function personWith(program: OpenpgpProgram, kind: string | undefined): Promise<Person> {
  const secret = await program.newKey(`Some One <${kind ?? 'someone'}@example.org>`, kind)
  return { own: imported(secret), secret, certificate: await program.publicOf(secret) }
}

/** With a key such as our users get, which a program can take in. */
export function ourPerson(address: string, profile: CertificateProfile = 'v4'): Person {
  const parsed = parseAddress(address)
  assert(parsed !== undefined)
  const { certificate, subkeys } = makeCertificate({ profile, address: parsed, createdMs: Date.now() - CLOCK_SKEW_MS })
  const secret = Buffer.from(writeTransferableSecretKey(certificate, subkeys))
  return { own: imported(secret), secret, certificate: Buffer.from(certificate.encoded) }
}

export function imported(secret: Buffer): OwnKey {
  const file = openpgp.readKeyFile(secret, '')
  assert(file?.ok === true, file?.ok === false ? file.error : 'not a key file')
  const [own] = file.value.keys
  assert(own !== undefined)
  return own
}

export function signedAndEncrypted(own: OwnKey, choice: EncryptionChoice, to: OwnKey = own): Buffer {
  const { signAndEncrypt } = openpgp
  assert(signAndEncrypt !== undefined)
  const signing = { keys: [own], choice: {}, timeMs: Date.now() }
  return made((out) => signAndEncrypt(signing, [to.certificate], choice, out))
}

/** The entity that comes out of a layer of ours. */
export function made(layer: (out: Collector) => ProtectedSink): Buffer {
  const out = new Collector()
  const { fields, sink } = layer(out)
  sink.write(CONTENT)
  sink.end()
  return Buffer.concat([...fields.map(({ raw }) => raw), Buffer.from('\r\n'), ...out.chunks])
}

/** As the owner of that key, who knows themself and perhaps somebody else. */
export function open(
  entity: Buffer,
  own: OwnKey,
  { allowWeak = false, known = own }: { readonly allowWeak?: boolean; readonly known?: OwnKey } = {},
): Opened {
  const ring: KeyRing = {
    decryptionKeys: [own],
    known: [{ certificate: known.certificate, trust: 'confirmed' }],
    anchors: [],
    allowWeak,
  }
  return openpgp.open(parsePart(entity), ring)
}

export function mustBeOurs(opened: Opened, { weak = false } = {}): void {
  assert(opened.kind === 'decrypted', JSON.stringify(opened))
  assert.equal(opened.weak ?? false, weak)
  assert(opened.authenticated)
  assert.equal(Buffer.from(opened.inner.raw).toString(), CONTENT.toString())
  assert.equal(opened.signers?.length, 1)
  assert.equal(opened.signers[0]?.intact, true, opened.signers[0]?.why ?? '')
}

/** gosop writes what it opened with the line ends of its system. */
export const mustBeContent = (content: Buffer): void =>
  assert.equal(content.toString().replaceAll(/\r?\n/g, '\r\n'), CONTENT.toString())

/** A digit of the armor is another, far behind the session keys. */
export function changedIn(message: Buffer): Buffer {
  const lines = message.toString('latin1').split('\n')
  const end = lines.findLastIndex((line) => line.startsWith('-----END'))
  const at = lines.slice(0, end).findLastIndex((line) => line.trimEnd().length >= 60)
  lines[at] = (lines[at] ?? '').replace(/^(.{20})(.)/, (_, before: string, digit: string) =>
    before.concat(digit === 'A' ? 'B' : 'A'),
  )
  return Buffer.from(lines.join('\n'), 'latin1')
}
