/** rnp, Thunderbird's OpenPGP. */
import { mkdir, readFile } from 'node:fs/promises'
import { type Ran, runProgram } from './correspondent.ts'
import { Folder, type OpenpgpProgram } from './openpgp-program.ts'

export async function makeRnp(): Promise<OpenpgpProgram> {
  const folder = await Folder.make()
  const newHome = async (): Promise<string> => {
    const home = folder.unused()
    await mkdir(home)
    return home
  }
  const run = async (command: 'rnp' | 'rnpkeys', home: string, args: readonly string[]): Promise<Ran> =>
    runProgram(command, ['--homedir', home, '--notty', '--password', '', ...args])
  const must = async (command: 'rnp' | 'rnpkeys', home: string, args: readonly string[]): Promise<Ran> => {
    const ran = await run(command, home, args)
    if (ran.status !== 0) throw new Error(`${command} ${args.join(' ')} failed (${ran.status}): ${ran.stderr}`)
    return ran
  }
  /** A home with just these keys, and their fingerprints. */
  const homeWith = async (keys: readonly Uint8Array[]): Promise<{ home: string; fingerprints: string[] }> => {
    const home = await newHome()
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
  const made = async (home: string, args: readonly string[], content: Uint8Array): Promise<Buffer> => {
    const out = folder.unused()
    await must('rnp', home, ['--armor', ...args, '--output', out, await folder.file(content)])
    return readFile(out)
  }
  return {
    name: (await runProgram('rnp', ['--version'])).stdout.toString().split('\n')[0] ?? 'rnp',
    async newKey(userId) {
      const home = await newHome()
      await must('rnpkeys', home, ['--generate-key', '--userid', userId, '--numbits', '2048'])
      return (await must('rnpkeys', home, ['--export-key', '--secret', userId])).stdout
    },
    async publicOf(key) {
      const { home, fingerprints } = await homeWith([key])
      return (await must('rnpkeys', home, ['--export-key', fingerprints[0] ?? ''])).stdout
    },
    async sign(content, key, args = []) {
      const { home, fingerprints } = await homeWith([key])
      return made(home, ['--sign', '--detach', '--userid', fingerprints[0] ?? '', ...args], content)
    },
    async verify(content, signature, signer) {
      const { home } = await homeWith([signer])
      const files = ['--source', await folder.file(content), await folder.file(signature)]
      const { status, stderr } = await run('rnp', home, ['--verify', ...files])
      return status === 0 ? undefined : stderr
    },
    async encrypt(content, { to, signer, args = [] }) {
      const { home, fingerprints } = await homeWith([...to, ...(signer === undefined ? [] : [signer])])
      const recipients = fingerprints.slice(0, to.length).flatMap((each) => ['--recipient', each])
      const signing = signer === undefined ? [] : ['--sign', '--userid', fingerprints.at(-1) ?? '']
      return made(home, ['--encrypt', ...recipients, ...signing, ...args], content)
    },
    async decrypt(message, key, signer) {
      const { home, fingerprints } = await homeWith([key, ...(signer === undefined ? [] : [signer])])
      const out = folder.unused()
      const { status, stderr } = await run('rnp', home, ['--decrypt', '--output', out, await folder.file(message)])
      if (status !== 0) return { problem: stderr }
      const signed = signer !== undefined && stderr.includes('Good signature') && fingerprints.length === 2
      return { content: await readFile(out), signed }
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}
