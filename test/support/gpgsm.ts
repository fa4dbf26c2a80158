/** gpgsm with a home of its own, which has the correspondent's keys and trusts both authorities. */
import { createPrivateKey } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Correspondence } from './correspondence.ts'
import type { CorrespondentKey, Ran } from './correspondent.ts'
import { openssl, runProgram } from './correspondent.ts'

export interface GpgsmHome extends AsyncDisposable {
  /** GNUPGHOME. */
  readonly dir: string
  readonly version: string
  run(args: readonly string[], input?: Uint8Array): Promise<Ran>
}

const BUNDLES_MAX = 4
const AGENT_ATTEMPTS_MAX = 5

/** `GNUPGHOME` holds sockets, whose paths must be short: it lies in the system's folder for temporary files. */
export async function makeGpgsmHome({ peer, ourCaFile, users }: Correspondence): Promise<GpgsmHome> {
  const dir = await mkdtemp(join(tmpdir(), 'gpgsm-'))
  const env = { GNUPGHOME: dir }
  const home: GpgsmHome = {
    dir,
    version: /\d+\.\d+\.\d+/.exec((await runProgram('gpgsm', ['--version'])).stdout.toString())?.[0] ?? '',
    run: (args, input) => runProgram('gpgsm', ['--batch', '--yes', ...args], { env, ...(input && { input }) }),
    async [Symbol.asyncDispose]() {
      await runProgram('gpgconf', ['--kill', 'all'], { env })
      await rm(dir, { recursive: true, force: true })
    },
  }
  try {
    await chmod(dir, 0o700)
    await mkdir(join(dir, 'private-keys-v1.d'), { mode: 0o700 })
    // Nobody publishes revocation lists or policies here; and what an agent asks for is nothing, since no key has a password.
    await writeFile(join(dir, 'gpgsm.conf'), 'disable-crl-checks\ndisable-policy-checks\ndisable-dirmngr\n')
    await writeFile(join(dir, 'gpg-agent.conf'), 'allow-loopback-pinentry\n')
    const fingerprints = await Promise.all([peer.caFile, ourCaFile].map(sha1Fingerprint))
    await writeFile(join(dir, 'trustlist.txt'), fingerprints.map((each) => `${each} S relax\n`).join(''))
    await launchAgent(env)
    const certificates = [peer.caFile, ourCaFile, users.rsa.certificateFile, users.p256.certificateFile]
    for (const file of certificates) await must(home, ['--import', file])
    for (const key of Object.values(peer.keys)) await importKey(home, key)
    return home
  } catch (error) {
    await home[Symbol.asyncDispose]()
    throw error
  }
}

/** gpgsm starts the agent itself, but gives it five seconds only, which is not enough on a busy machine. */
async function launchAgent(env: Readonly<Record<string, string>>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { status, stderr } = await runProgram('gpgconf', ['--launch', 'gpg-agent'], { env })
    if (status === 0) return
    if (attempt === AGENT_ATTEMPTS_MAX) throw new Error(`gpg-agent does not start: ${stderr}`)
  }
}

async function must(home: GpgsmHome, args: readonly string[], input?: Uint8Array): Promise<Ran> {
  const ran = await home.run(args, input)
  if (ran.status !== 0) throw new Error(`gpgsm ${args.join(' ')} failed (${ran.status}): ${ran.stderr}`)
  return ran
}

async function sha1Fingerprint(file: string): Promise<string> {
  const line = (await openssl(['x509', '-in', file, '-noout', '-fingerprint', '-sha1'])).toString()
  return line.slice(line.indexOf('=') + 1).trim()
}

/**
 * RSA keys come as PKCS#12, as everybody's do, under the old algorithms: gpgsm 2.2 knows no others. It does not take EC keys in that form
 * at all (it crashes); these are put where its agent keeps them, under the name that it gives to the certificate's key.
 */
async function importKey(home: GpgsmHome, { kind, certificateFile, keyFile }: CorrespondentKey): Promise<void> {
  await must(home, ['--import', certificateFile])
  if (kind === 'rsa') return importBundle(home, keyFile, certificateFile)
  const listed = (await must(home, ['--with-colons', '--with-keygrip', '--list-keys'])).stdout.toString()
  const records = listed.split(/^(?=crt:)/m)
  const record = records.find((each) => each.includes('Correspondent with p256'))
  const keygrip = /^grp:*([0-9A-F]{40}):/m.exec(record ?? '')?.[1]
  if (keygrip === undefined) throw new Error(`gpgsm names no keygrip: ${listed}`)
  await writeFile(join(home.dir, 'private-keys-v1.d', `${keygrip}.key`), agentKey(await readFile(keyFile)))
}

/** gpgsm 2.2 cannot read every PKCS#12 file: now and then it takes one with other salts only. */
async function importBundle(home: GpgsmHome, keyFile: string, certificateFile: string): Promise<void> {
  const old = ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1', '-passout', 'pass:']
  const bundle = join(home.dir, 'rsa.p12')
  for (let attempt = 1; ; attempt++) {
    await writeFile(bundle, await openssl(['pkcs12', '-export', '-inkey', keyFile, '-in', certificateFile, ...old]))
    const how = ['--pinentry-mode', 'loopback', '--passphrase-fd', '0', '--import', bundle]
    const { status, stderr } = await home.run(how, Buffer.from('\n'))
    if (status === 0) return
    if (attempt === BUNDLES_MAX) throw new Error(`gpgsm does not import ${bundle} (${status}): ${stderr}`)
  }
}

/** A P-256 key as gpg-agent keeps one that is under no password: a canonical S-expression. */
function agentKey(pem: Buffer): Buffer {
  const { x = '', y = '', d = '' } = createPrivateKey(pem).export({ format: 'jwk' })
  const [point, scalar] = [Buffer.concat([Buffer.of(4), base64(x), base64(y)]), base64(d)]
  const ecc = list(
    atom('ecc'),
    list(atom('curve'), atom('NIST P-256')),
    list(atom('q'), atom(point)),
    list(atom('d'), atom(scalar)),
  )
  return list(atom('private-key'), ecc)
}

const base64 = (text: string): Buffer => Buffer.from(text, 'base64url')
const list = (...items: readonly Buffer[]): Buffer => Buffer.concat([Buffer.from('('), ...items, Buffer.from(')')])
function atom(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from(`${bytes.length}:`), bytes])
}
