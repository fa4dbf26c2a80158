/** rnp, Thunderbird's OpenPGP. */
import { mkdir, readFile } from 'node:fs/promises'
import { type Ran, runProgram } from './correspondent.ts'
import { Folder, type OpenpgpProgram } from './openpgp-program.ts'

export async function makeRnp(): Promise<OpenpgpProgram> {
  const folder = await Folder.make()
  const made = async ({ home }: Home, args: readonly string[], content: Uint8Array): Promise<Buffer> => {
    const out = folder.unused()
    await must('rnp', home, [...args, '--output', out, await folder.file(content)])
    return readFile(out)
  }
  return {
    name: (await runProgram('rnp', ['--version'])).stdout.toString().split('\n')[0] ?? 'rnp',
    async newKey(userId) {
      const { home } = await homeWith(folder, [])
      await must('rnpkeys', home, ['--generate-key', '--userid', userId, '--numbits', '2048'])
      return (await must('rnpkeys', home, ['--export-key', '--secret', userId])).stdout
    },
    async publicOf(key) {
      const { home, fingerprints } = await homeWith(folder, [key])
      return (await must('rnpkeys', home, ['--export-key', fingerprints[0] ?? ''])).stdout
    },
    async sign(content, key, args = []) {
      const at = await homeWith(folder, [key])
      return made(at, ['--armor', '--sign', '--detach', '--userid', at.fingerprints[0] ?? '', ...args], content)
    },
    async verify(content, signature, signer) {
      const { home } = await homeWith(folder, [signer])
      const files = ['--source', await folder.file(content), await folder.file(signature)]
      const { status, stderr } = await run('rnp', home, ['--verify', ...files])
      return status === 0 ? undefined : stderr
    },
    async clearsign(text, key) {
      const at = await homeWith(folder, [key])
      return made(at, ['--clearsign', '--userid', at.fingerprints[0] ?? ''], text)
    },
    async encrypt(content, { to, signer, args = [] }) {
      const at = await homeWith(folder, [...to, ...(signer === undefined ? [] : [signer])])
      const recipients = at.fingerprints.slice(0, to.length).flatMap((each) => ['--recipient', each])
      const signing = signer === undefined ? [] : ['--sign', '--userid', at.fingerprints.at(-1) ?? '']
      return made(at, ['--armor', '--encrypt', ...recipients, ...signing, ...args], content)
    },
    async decrypt(message, key, signer) {
      const { home } = await homeWith(folder, [key, ...(signer === undefined ? [] : [signer])])
      const out = folder.unused()
      const { status, stderr } = await run('rnp', home, ['--decrypt', '--output', out, await folder.file(message)])
      if (status !== 0) return { problem: stderr }
      return { content: await readFile(out), signed: signer !== undefined && stderr.includes('Good signature') }
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

type Command = 'rnp' | 'rnpkeys'

const run = (command: Command, home: string, args: readonly string[]): Promise<Ran> =>
  runProgram(command, ['--homedir', home, '--notty', '--password', '', ...args])

async function must(command: Command, home: string, args: readonly string[]): Promise<Ran> {
  const ran = await run(command, home, args)
  if (ran.status !== 0) throw new Error(`${command} ${args.join(' ')} failed (${ran.status}): ${ran.stderr}`)
  return ran
}

/** A home that has just these keys. */
interface Home {
  readonly home: string
  readonly fingerprints: readonly string[]
}

async function homeWith(folder: Folder, keys: readonly Uint8Array[]): Promise<Home> {
  const home = folder.unused()
  await mkdir(home)
  const fingerprints: string[] = []
  for (const key of keys) {
    const { stdout } = await must('rnpkeys', home, ['--import-keys', await folder.file(key)])
    // Nothing is said of a public key whose secret half was the one before.
    const fingerprint = /^ +([0-9a-f]{40})\b/m.exec(stdout.toString())?.[1] ?? fingerprints.at(-1)
    if (fingerprint === undefined) throw new Error(`rnp sees no key: ${stdout.toString()}`)
    fingerprints.push(fingerprint)
  }
  return { home, fingerprints }
}
