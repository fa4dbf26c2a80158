/**
 * PGP/MIME, signed and encrypted in one message to one key, as it is put into mails and taken out of them: against the floor
 * of bare operations, openpgp.js in the same process, and gpg and sq as processes.
 */
import { createCipheriv, createDecipheriv, createPublicKey, hash, randomBytes } from 'node:crypto'
import { Collector } from '../src/base/byte-sink.ts'
import { concatBytes } from '../src/base/bytes.ts'
import { writeFields } from '../src/message/header-field.ts'
import { parsePart } from '../src/message/parse.ts'
import type { Part } from '../src/message/part.ts'
import { openpgp } from '../src/protection/openpgp/openpgp.ts'
import type { EncryptionChoice, OwnKey } from '../src/protection/standard.ts'
import { CHUNK_BYTES, sizesFor } from './cms.bench.ts'
import { type Floor, signingFloor, transportFloor } from './floor.ts'
import { type Measured, measureInTurns } from './measure.ts'
import { PGP_KINDS, type PgpKind, makeOpenpgpJs, pgpKeyFile } from './openpgp-js.ts'
import { type PgpProgram, pgpPrograms } from './openpgp-programs.ts'
import type { Comparison, Effort, Row } from './row.ts'

const ADDRESS = 't-azuma@biglobe.ne.jp'
const CHOICE = { digest: 'sha256' } as const
const PROGRAM_AIM = { atLeast: 5 }
/** What a program is started for: more of them for small mails, whose time is short. */
const PROGRAM_TIMES: Readonly<Record<string, number>> = { '5 kB': 40, '100 kB': 30, '10 MB': 4 }

/** SEIPD of version 1 to keys of version 4, which every program reads, and what RFC 9580 brought. */
const cipherFor = (kind: PgpKind): NonNullable<EncryptionChoice['cipher']> =>
  kind === '25519 v6' ? 'aes-256-ocb' : 'aes-256-cfb'

export async function openpgpRows(effort: Effort): Promise<Row[]> {
  const rows: Row[] = []
  for (const kind of PGP_KINDS) {
    const keyFile = await pgpKeyFile(kind, ADDRESS)
    const programs = kind === '25519 v6' ? [] : pgpPrograms(keyFile, ADDRESS)
    for (const [size, bytes] of sizesFor(effort))
      rows.push(...(await rowsOf(kind, keyFile, programs, size, bytes, effort)))
    for (const program of programs) program[Symbol.dispose]()
  }
  return rows
}

async function rowsOf(
  kind: PgpKind,
  keyFile: Uint8Array,
  programs: readonly PgpProgram[],
  size: string,
  bytes: number,
  { smoke, msPerOperation }: Effort,
): Promise<Row[]> {
  const own = ownKeyIn(keyFile)
  const content = Buffer.from(`Content-Type: text/plain\r\n\r\n${randomBytes(bytes / 2).toString('hex')}\r\n`)
  const cipher = cipherFor(kind)
  const message = seal(own, cipher, content)
  const js = await makeOpenpgpJs(kind, keyFile)
  const theirs = await js.seal(content)
  const floor = openpgpFloor(own, cipher, content)
  const times = smoke ? 1 : (PROGRAM_TIMES[size] ?? 1)
  const row = async (
    what: 'sign + encrypt' | 'decrypt + verify',
    operations: readonly (() => unknown)[],
  ): Promise<Row> => {
    const measured = await measureInTurns(msPerOperation, operations)
    const [ours, bare, others] = measured
    if (ours === undefined || bare === undefined || others === undefined) throw new Error('nothing was measured')
    const rates = await programRates(programs, what, content, message, times)
    return {
      case: `OpenPGP: ${what}, ${size}, ${kind}, ${cipher}`,
      value: ours.perSecond,
      unit: '/s',
      p50Ms: ours.p50Ms,
      p99Ms: ours.p99Ms,
      against: [
        against('floor', ours, bare.perSecond),
        against('openpgp.js', ours, others.perSecond),
        ...rates.map(([name, rate]) => against(name, ours, rate, PROGRAM_AIM)),
      ],
    }
  }
  return [
    await row('sign + encrypt', [() => seal(own, cipher, content), floor.seal, () => js.seal(content)]),
    await row('decrypt + verify', [() => open(own, message), floor.open, () => js.open(theirs)]),
  ]
}

const against = (reference: string, ours: Measured, rate: number, aim?: Comparison['aim']): Comparison => ({
  reference,
  ratio: ours.perSecond / rate,
  ...(aim === undefined ? {} : { aim }),
})

async function programRates(
  programs: readonly PgpProgram[],
  what: 'sign + encrypt' | 'decrypt + verify',
  content: Uint8Array,
  message: Part,
  times: number,
): Promise<[name: string, rate: number][]> {
  const rates: [string, number][] = []
  for (const program of programs) {
    const rate =
      what === 'sign + encrypt' ? await program.seal(content, times) : await program.open(armorIn(message), times)
    rates.push([program.name, rate])
  }
  return rates
}

function armorIn({ raw }: Part): Uint8Array {
  const bytes = Buffer.from(raw)
  return bytes.subarray(bytes.indexOf('-----BEGIN PGP MESSAGE'), bytes.lastIndexOf('\r\n--'))
}

function ownKeyIn(keyFile: Uint8Array): OwnKey {
  const read = openpgp.readKeyFile(keyFile, '')
  const own = read?.ok === true ? read.value.keys[0] : undefined
  if (own === undefined) throw new Error(`the key cannot be read: ${read?.ok === false ? read.error : ''}`)
  return own
}

function seal(own: OwnKey, cipher: EncryptionChoice['cipher'], content: Uint8Array): Part {
  const out = new Collector()
  const signing = { keys: [own], choice: CHOICE, timeMs: Date.now() }
  const choice = cipher === undefined ? {} : { cipher }
  const made = openpgp.signAndEncrypt?.(signing, [own.certificate], choice, out)
  if (made === undefined) throw new Error('one layer for both is missing')
  for (let at = 0; at < content.length; at += CHUNK_BYTES) made.sink.write(content.subarray(at, at + CHUNK_BYTES))
  made.sink.end()
  return parsePart(concatBytes([writeFields(made.fields), Buffer.from('\r\n'), ...out.take()]))
}

function open(own: OwnKey, message: Part): void {
  const known = [{ certificate: own.certificate, trust: 'confirmed' }] as const
  const opened = openpgp.open(message, { decryptionKeys: [own], known, anchors: [] })
  if (opened.kind !== 'decrypted' || opened.signers?.[0]?.intact !== true)
    throw new Error(`not opened: ${'why' in opened ? opened.why : opened.kind}`)
}

/** The signature, the session key, cipher and what protects its text from changes, base64; each in one call. */
function openpgpFloor(own: OwnKey, cipher: string, content: Uint8Array): Floor {
  const [primary, encryption] = [own.key, (own.subkeys?.at(-1)?.handles ?? [own.key])[0] ?? own.key]
  const signing = signingFloor(primary, createPublicKey(primary))
  const transport = transportFloor(encryption, { keyTransport: 'rsa-pkcs1' })
  const recipient = createPublicKey(encryption)
  const [key, iv] = [randomBytes(32), randomBytes(16)]
  const isAead = cipher.endsWith('ocb')
  const cipherName = cipher as 'aes-256-ocb'
  const options = { authTagLength: 16 }
  const nonce = isAead ? iv.subarray(1) : iv
  const ciphertext = createCipheriv(cipherName, key, nonce, options).update(content)
  const base64 = ciphertext.toString('base64')
  const proof = (): void => void (isAead || hash('sha1', content, 'buffer'))
  return {
    seal: () => {
      hash('sha256', content, 'buffer')
      signing.sign()
      randomBytes(48)
      transport.give([recipient], key)
      proof()
      const running = createCipheriv(cipherName, key, nonce, options)
      running.update(content).toString('base64')
      running.final()
    },
    open: () => {
      transport.take()
      createDecipheriv(cipherName, key, nonce, options).update(Buffer.from(base64, 'base64'))
      proof()
      hash('sha256', content, 'buffer')
      signing.verify()
    },
  }
}
