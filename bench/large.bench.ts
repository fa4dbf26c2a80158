/**
 * Mail that is too large for memory, as a worker thread does it: protected as it streams by, and opened over spills on the
 * disk. Against the bare ciphers and SHA-256 over the same content, in chunks of one size.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ByteRange } from '../src/base/byte-range.ts'
import type { ByteSink } from '../src/base/byte-sink.ts'
import { encodeBase64Lines } from '../src/message/encode.ts'
import { openLarge, startWrap } from '../src/protection/jobs.ts'
import type { EncryptionChoice, SigningChoice } from '../src/protection/standard.ts'
import { openSpill } from '../src/store/bytes/spill-file.ts'
import { smimeIdentity } from '../test/support/smime-identity.ts'
import { peelJob, wrapJob } from './mail.bench.ts'
import { type Measured, measureInTurns } from './measure.ts'
import type { Comparison, Effort, Row } from './row.ts'
import { sampleMail } from './sample-mail.ts'

const SENDER = 't-azuma@biglobe.ne.jp'
const RECIPIENT = 'u-suzuki@abc.com'
const CHUNK_BYTES = 64 * 1024
const AIM = { atLeast: 0.6 }

const CASES: readonly [name: string, encryption: EncryptionChoice, signing: SigningChoice][] = [
  ['aes-256-cbc, detached', { cipher: 'aes-256-cbc' }, { form: 'detached' }],
  ['aes-256-cbc, opaque', { cipher: 'aes-256-cbc' }, { form: 'opaque' }],
  ['aes-256-gcm, detached', { cipher: 'aes-256-gcm' }, { form: 'detached' }],
]

export async function largeRows({ smoke, msPerOperation }: Effort): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sealpost-large-'))
  const chunks = (smoke ? 2 : 128) * 16
  try {
    const rows: Row[] = []
    for (const each of CASES) rows.push(...(await rowsOf(folder, chunks, each, smoke ? msPerOperation : 1)))
    return rows
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function rowsOf(folder: string, chunks: number, [name, encryption, signing]: (typeof CASES)[number], ms: number) {
  const [sender, recipient] = [smimeIdentity('rsa-2048', SENDER), smimeIdentity('rsa-2048', RECIPIENT)]
  const job = wrapJob(sender, recipient, sampleMail(1000, SENDER, RECIPIENT))
  const wrapping = { ...job, copies: job.copies.map((copy) => ({ ...copy, encryption, signing })) }
  const chunk = Buffer.from(randomBytes((CHUNK_BYTES * 3) / 4).toString('base64'), 'latin1')
  const pushAll = (out: ByteSink): void => {
    const sink = startWrap(wrapping, [out])
    for (let index = 0; index < chunks; index++) sink.write(chunk)
    sink.end()
  }
  const made = openSpill(folder)
  pushAll(made)
  const { rings, atMs } = peelJob(sender, recipient)
  const open = (range: ByteRange): void => {
    using opened = openLarge(
      range,
      rings[0] ?? { decryptionKeys: [], known: [], anchors: [], allowWeak: false },
      atMs,
      () => openSpill(folder),
    )
    const { signature, encrypted } = opened.findings.summary
    if (signature !== 'valid' || !encrypted || opened.shown.kind !== 'opened') throw new Error(`not opened: ${name}`)
    for (const piece of opened.shown.pieces) ignore(piece)
  }
  const [sealed, opened, floorOut, floorIn, sealing] = await measureInTurns(ms, [
    () => pushAll({ write: ignore, end: () => {} }),
    () => open(made.range),
    bare(createCipheriv, encryption, chunk, chunks),
    bare(createDecipheriv, encryption, chunk, chunks),
    () => bareOpening(encryption, chunk, chunks),
  ])
  made.drop()
  if (!sealed || !opened || !floorOut || !floorIn || !sealing) throw new Error('nothing was measured')
  const row = (what: string, ours: Measured, floor: Measured, more: Comparison[] = []): Row => ({
    case: `large stream: ${what}, ${((chunks * CHUNK_BYTES) / 1e6).toFixed(0)} MB, ${name}`,
    value: (ours.perSecond * chunks * CHUNK_BYTES) / 1e6,
    unit: 'MB/s',
    against: [{ reference: 'AES + SHA-256', ratio: ours.perSecond / floor.perSecond, aim: AIM }, ...more],
  })
  const atRest = { reference: '… sealed at rest', ratio: opened.perSecond / sealing.perSecond }
  return [
    row('sign + encrypt', sealed, floorOut),
    row('decrypt + verify', opened, floorIn, signing.form === 'detached' ? [atRest] : []),
  ]
}

const ignore = (_bytes: Uint8Array): void => {}

function bare(
  create: typeof createCipheriv | typeof createDecipheriv,
  { cipher }: EncryptionChoice,
  chunk: Uint8Array,
  chunks: number,
): () => void {
  const [key, iv] = [randomBytes(32), randomBytes(cipher === 'aes-256-gcm' ? 12 : 16)]
  return () => {
    const running = create(cipher ?? 'aes-256-cbc', key, iv)
    const hash = createHash('sha256')
    for (let index = 0; index < chunks; index++) {
      running.update(chunk)
      hash.update(chunk)
    }
    hash.digest()
  }
}

/**
 * What it takes at least to open a mail that was encrypted first and whose plaintext is nowhere on the disk: what came is
 * unsealed to be hashed, and unsealed again to be decoded and decrypted; what was in it is sealed, and unsealed to be delivered.
 * The ciphers alone; nothing is parsed, written or read.
 */
function bareOpening({ cipher = 'aes-256-cbc' }: EncryptionChoice, content: Uint8Array, chunks: number): void {
  const [key, iv] = [randomBytes(32), randomBytes(16)]
  const encoded = Buffer.from(encodeBase64Lines(content))
  const hash = createHash('sha256')
  const decrypting = createDecipheriv(cipher as 'aes-256-gcm', key, cipher === 'aes-256-gcm' ? iv.subarray(4) : iv)
  const frame = (create: typeof createCipheriv | typeof createDecipheriv, bytes: Uint8Array): void => {
    create('aes-256-gcm', key, iv.subarray(4)).update(bytes)
  }
  for (let index = 0; index < chunks; index++) {
    frame(createDecipheriv, encoded)
    hash.update(encoded)
    frame(createDecipheriv, encoded)
    decrypting.update(Buffer.from(encoded.toString('latin1'), 'base64'))
    frame(createCipheriv, content)
    frame(createDecipheriv, content)
  }
  hash.digest()
}
