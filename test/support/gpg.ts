/** gpg with a home of its own; each key and certificate it is handed goes into that home first. */
import { createHash } from 'node:crypto'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Ran, runProgram } from './correspondent.ts'
import { Folder, type OpenpgpProgram } from './openpgp-program.ts'

/** In the words of gpg's parameter files. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  rsa: ['Key-Type: RSA', 'Key-Length: 2048', 'Subkey-Type: RSA', 'Subkey-Length: 2048'],
  ed25519: ['Key-Type: EDDSA', 'Key-Curve: ed25519', 'Subkey-Type: ECDH', 'Subkey-Curve: cv25519'],
  'rsa-elgamal': ['Key-Type: RSA', 'Key-Length: 2048', 'Subkey-Type: ELG', 'Subkey-Length: 2048'],
  'dsa-elgamal': ['Key-Type: DSA', 'Key-Length: 2048', 'Subkey-Type: ELG', 'Subkey-Length: 2048'],
  ...Object.fromEntries(
    ['nistp256', 'nistp384', 'nistp521', 'brainpoolP256r1', 'brainpoolP384r1', 'brainpoolP512r1'].map((curve) => [
      curve,
      ['Key-Type: ECDSA', `Key-Curve: ${curve}`, 'Subkey-Type: ECDH', `Subkey-Curve: ${curve}`],
    ]),
  ),
}

export interface Gpg extends OpenpgpProgram {
  /** GNUPGHOME. */
  readonly home: string
  /** Takes a key or a certificate in; its fingerprint. */
  import(key: Uint8Array): Promise<string>
}

export async function makeGpg(): Promise<Gpg> {
  const folder = await Folder.make()
  await chmod(folder.path, 0o700)
  await writeFile(join(folder.path, 'gpg-agent.conf'), 'allow-loopback-pinentry\n')
  await writeFile(join(folder.path, 'gpg.conf'), 'trust-model direct\nno-auto-key-retrieve\n')
  const env = { GNUPGHOME: folder.path }
  const gpg = (args: readonly string[], input?: Uint8Array): Promise<Ran> =>
    runProgram('gpg', [...QUIET, ...args], { env, ...(input && { input }) })
  const must = async (args: readonly string[], input?: Uint8Array): Promise<Ran> => {
    const ran = await gpg(args, input)
    if (ran.status !== 0) throw new Error(`gpg ${args.join(' ')} failed (${ran.status}): ${ran.stderr}`)
    return ran
  }
  const known = new Map<string, string>()
  /** The fingerprint, once it is imported. */
  const imported = async (key: Uint8Array): Promise<string> => {
    const hash = createHash('sha256').update(key).digest('hex')
    const fingerprint = known.get(hash) ?? fingerprintIn((await must([...SHOW_ONLY, '--import'], key)).stdout)
    if (!known.has(hash)) {
      await must(['--import'], key)
      await must(['--import-ownertrust'], Buffer.from(`${fingerprint}:6:\n`))
    }
    known.set(hash, fingerprint)
    return fingerprint
  }
  return {
    home: folder.path,
    import: imported,
    name: `gpg ${/\d+\.\d+\.\d+/.exec((await must(['--version'])).stdout.toString())?.[0]}`,
    async newKey(userId, kind = 'rsa') {
      const lines = [...(KINDS[kind] ?? []), `Name-Real: ${userId.split(' <')[0]}`, `Name-Email: ${emailOf(userId)}`]
      await must(['--gen-key'], Buffer.from(`%no-protection\n${lines.join('\n')}\nExpire-Date: 0\n%commit\n`))
      return (await must(['--export-secret-keys', `<${emailOf(userId)}>`])).stdout
    },
    publicOf: async (key) => (await must(['--export', await imported(key)])).stdout,
    sign: async (content, key, args = []) =>
      (await must(['--local-user', await imported(key), ...args, '--armor', '--detach-sign'], content)).stdout,
    async verify(content, signature, signer) {
      const fingerprint = await imported(signer)
      const files = [await folder.file(signature), await folder.file(content)]
      const { status, stdout, stderr } = await gpg(['--status-fd', '1', '--verify', ...files])
      return status === 0 && isSignedBy(fingerprint, stdout.toString()) ? undefined : stderr
    },
    clearsign: async (text, key) => (await must(['--local-user', await imported(key), '--clearsign'], text)).stdout,
    async encrypt(content, { to, signer, args = [] }) {
      const fingerprints = await Promise.all(to.map((each) => imported(each)))
      const signing = signer === undefined ? [] : ['--local-user', await imported(signer), '--sign']
      const recipients = fingerprints.flatMap((each) => ['--recipient', each])
      return (await must(['--armor', ...args, ...signing, ...recipients, '--encrypt'], content)).stdout
    },
    async decrypt(message, key, signer) {
      await imported(key)
      const fingerprint = signer && (await imported(signer))
      const out = folder.unused()
      const { status, stdout, stderr } = await gpg(['--status-fd', '1', '--output', out, '--decrypt'], message)
      const said = stdout.toString()
      if (status !== 0 || !said.includes('DECRYPTION_OKAY')) return { problem: said + stderr }
      return { content: await readFile(out), signed: fingerprint !== undefined && isSignedBy(fingerprint, said) }
    },
    async [Symbol.asyncDispose]() {
      await runProgram('gpgconf', ['--kill', 'all'], { env })
      await folder[Symbol.asyncDispose]()
    },
  }
}

const QUIET = ['--batch', '--yes', '--quiet', '--no-tty']
const SHOW_ONLY = ['--with-colons', '--import-options', 'show-only']

const emailOf = (userId: string): string => /<(.*)>/.exec(userId)?.[1] ?? userId

function fingerprintIn(listing: Buffer): string {
  const fingerprint = /^fpr:*([0-9A-F]{40}):/m.exec(listing.toString())?.[1]
  if (fingerprint === undefined) throw new Error(`gpg sees no key: ${listing.toString()}`)
  return fingerprint
}

/** VALIDSIG ends with the fingerprint of the primary key. */
const isSignedBy = (fingerprint: string, said: string): boolean =>
  said.includes('[GNUPG:] GOODSIG ') && new RegExp(`^\\[GNUPG:\\] VALIDSIG .* ${fingerprint}$`, 'm').test(said)
