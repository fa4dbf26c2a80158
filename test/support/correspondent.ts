/**
 * A correspondent who has no Sealpost: an authority of their own, an RSA and a P-256 key, all made by the `openssl`
 * command and kept as files, which is how the programs of such people take them.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type KeyKind = 'rsa' | 'p256'

export interface CorrespondentKey {
  readonly kind: KeyKind
  /** PEM. */
  readonly certificateFile: string
  /** PEM, PKCS#8, without a password. */
  readonly keyFile: string
}

export interface Correspondent extends AsyncDisposable {
  /** For whatever the test or a program needs; removed at the end. */
  readonly folder: string
  readonly caFile: string
  readonly keys: Readonly<Record<KeyKind, CorrespondentKey>>
}

export interface Ran {
  readonly status: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

const RUN_TIMEOUT_MS = 60_000
const NEW_KEY: Readonly<Record<KeyKind, readonly string[]>> = {
  rsa: ['-newkey', 'rsa:2048'],
  p256: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
}
const USAGE: Readonly<Record<KeyKind, string>> = { rsa: 'keyEncipherment', p256: 'keyAgreement' }

/** Each key's certificate names all of its addresses. */
export async function makeCorrespondent(
  addresses: Readonly<Record<KeyKind, readonly string[]>>,
): Promise<Correspondent> {
  const folder = await mkdtemp(join(tmpdir(), 'correspondent-'))
  const caFile = join(folder, 'ca.pem')
  const caKeyFile = join(folder, 'ca-key.pem')
  const usage = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign']
  const subject = ['-subj', '/C=DE/O=Correspondents/CN=Correspondents authority', '-days', '365', ...usage]
  await openssl(['req', '-x509', ...NEW_KEY.rsa, '-nodes', ...subject, '-keyout', caKeyFile, '-out', caFile])
  const [rsa, p256] = await Promise.all(
    (['rsa', 'p256'] as const).map((kind) => issue(folder, { caFile, caKeyFile }, kind, addresses[kind])),
  )
  return {
    folder,
    caFile,
    keys: { rsa, p256 } as Readonly<Record<KeyKind, CorrespondentKey>>,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

async function issue(
  folder: string,
  ca: { readonly caFile: string; readonly caKeyFile: string },
  kind: KeyKind,
  addresses: readonly string[],
): Promise<CorrespondentKey> {
  const [keyFile, certificateFile, requestFile, extensionsFile] = ['-key.pem', '.pem', '.csr', '.cnf'].map((end) =>
    join(folder, `${kind}${end}`),
  ) as [string, string, string, string]
  const extensions = [
    'basicConstraints=CA:FALSE',
    `keyUsage=critical,digitalSignature,${USAGE[kind]}`,
    'extendedKeyUsage=emailProtection',
    `subjectAltName=${addresses.map((address) => `email:${address}`).join(',')}`,
    'subjectKeyIdentifier=hash',
    'authorityKeyIdentifier=keyid',
  ]
  await writeFile(extensionsFile, `${extensions.join('\n')}\n`)
  const subject = ['-subj', `/CN=Correspondent with ${kind}`]
  await openssl(['req', ...NEW_KEY[kind], '-nodes', ...subject, '-keyout', keyFile, '-out', requestFile])
  const issuer = ['-CA', ca.caFile, '-CAkey', ca.caKeyFile, '-days', '300', '-extfile', extensionsFile]
  await openssl(['x509', '-req', '-in', requestFile, ...issuer, '-out', certificateFile])
  return { kind, certificateFile, keyFile }
}

/** Runs `openssl`, which has to succeed; returns what it wrote to stdout. */
export async function openssl(args: readonly string[], input: Uint8Array = new Uint8Array()): Promise<Buffer> {
  const { status, stdout, stderr } = await runProgram('openssl', args, { input })
  if (status !== 0) throw new Error(`openssl ${args.join(' ')} failed (${status}): ${stderr}`)
  return stdout
}

/** Runs a program to its end; one that hangs is killed, and has status `null`. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: { readonly input?: Uint8Array; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ran> {
  const child = spawn(command, args, {
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.env },
    timeout: RUN_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  child.stdin.on('error', () => undefined) // a program may end without reading it
  child.stdin.end(options.input ?? '')
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  return { status, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }
}
