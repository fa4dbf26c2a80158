/** Our CMS beside a loop in C over libcrypto's own, which does the same with the same keys (libcrypto-loop.c). */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { concatBytes } from '../src/base/bytes.ts'
import { smimeIdentity } from '../test/support/smime-identity.ts'
import { open, seal } from './cms.bench.ts'
import { type Measured, measureInTurns } from './measure.ts'
import type { Effort, Row } from './row.ts'

const SOURCE = path.join(import.meta.dirname, 'libcrypto-loop.c')
const CONTENT_BYTES = 5_000
const ROUNDS = 6
/** What the C program uses: the default of CMS_encrypt. */
const CHOICE = { cipher: 'aes-256-cbc', keyTransport: 'rsa-pkcs1' } as const
const AIMS = { seal: 0.9, open: 1.3 }
const WHATS = { seal: 'sign + encrypt', open: 'decrypt + verify' }

/** No row where there is no C compiler or no libcrypto to build with (Debian: `apt-get install gcc libssl-dev`). */
export async function libcryptoRows(effort: Effort): Promise<Row[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sealpost-bench-'))
  try {
    const loop = build(folder)
    if (loop === undefined) return []
    const rows: Row[] = []
    for (const kind of ['rsa-2048', 'p256'] as const)
      for (const what of ['seal', 'open'] as const) rows.push(await rowOf(kind, what, loop, folder, effort))
    return rows
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function build(folder: string): string | undefined {
  const loop = path.join(folder, 'libcrypto-loop')
  try {
    execFileSync('cc', ['-O2', '-o', loop, SOURCE, '-lcrypto'], { stdio: 'pipe' })
    return loop
  } catch {
    process.stderr.write('bench: cannot build libcrypto-loop.c; apt-get install gcc libssl-dev\n')
    return undefined
  }
}

async function rowOf(
  kind: 'rsa-2048' | 'p256',
  what: 'seal' | 'open',
  loop: string,
  folder: string,
  { msPerOperation }: Effort,
): Promise<Row> {
  const identity = smimeIdentity(kind)
  const pair = { signer: identity, reader: identity }
  const content = Buffer.from(randomBytes(CONTENT_BYTES / 2).toString('hex'))
  const { chunks, signatureBytes } = seal(pair, CHOICE, content)
  const sealed = concatBytes(chunks)
  const operation = {
    seal: () => seal(pair, CHOICE, content),
    open: () => open(pair, sealed, signatureBytes),
  }[what]
  const files = {
    certificate: identity.certificate.encoded,
    key: identity.key.export({ format: 'der', type: 'pkcs8' }),
    content,
  }
  const paths = Object.entries(files).map(([name, bytes]) => {
    const file = path.join(folder, name)
    writeFileSync(file, bytes, { mode: 0o600 })
    return file
  })
  const roundMs = Math.ceil(msPerOperation / ROUNDS)
  let ours: Measured | undefined
  let theirs = 0
  for (let round = 0; round < ROUNDS; round++) {
    const [measured] = await measureInTurns(roundMs, [operation])
    if (measured !== undefined && measured.perSecond > (ours?.perSecond ?? 0)) ours = measured
    theirs = Math.max(theirs, Number(execFileSync(loop, [what, ...paths, String(roundMs)])))
  }
  if (ours === undefined || !(theirs > 0)) throw new Error('nothing was measured')
  const ratio = ours.perSecond / theirs
  return {
    case: `CMS: ${WHATS[what]}, 5 kB, ${kind}, ${CHOICE.cipher}, PKCS #1`,
    value: ours.perSecond,
    unit: '/s',
    p50Ms: ours.p50Ms,
    p99Ms: ours.p99Ms,
    against: [{ reference: 'C loop', ratio, ...(kind === 'rsa-2048' ? { aim: { atLeast: AIMS[what] } } : {}) }],
  }
}
