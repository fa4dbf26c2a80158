/** Programs with the command line of Stateless OpenPGP: gosop (Proton's GopenPGP) and sqop (Sequoia). */
import { readFile } from 'node:fs/promises'
import { runProgram } from './correspondent.ts'
import { Folder, type OpenpgpProgram, succeed } from './openpgp-program.ts'

export async function makeSop(command: 'gosop' | 'sqop'): Promise<OpenpgpProgram> {
  const folder = await Folder.make()
  const version = (await succeed(command, ['version'])).stdout.toString().split('\n')[0] ?? ''
  return {
    name: version.toLowerCase().startsWith(command) ? version : `${command} ${version}`,
    newKey: async (userId) => (await succeed(command, ['generate-key', userId])).stdout,
    publicOf: async (key) => (await succeed(command, ['extract-cert'], key)).stdout,
    sign: async (content, key, args = []) =>
      (await succeed(command, ['sign', ...args, await folder.file(key)], content)).stdout,
    async verify(content, signature, signer) {
      const files = [await folder.file(signature), await folder.file(signer)]
      const { status, stderr } = await runProgram(command, ['verify', ...files], { input: content })
      return status === 0 ? undefined : stderr
    },
    async encrypt(content, { to, signer, args = [] }) {
      const signing = signer === undefined ? [] : [`--sign-with=${await folder.file(signer)}`]
      const recipients = await Promise.all(to.map((each) => folder.file(each)))
      return (await succeed(command, ['encrypt', ...args, ...signing, ...recipients], content)).stdout
    },
    async decrypt(message, key, signer) {
      const out = folder.unused()
      const verifying =
        signer === undefined ? [] : [`--verify-with=${await folder.file(signer)}`, `--verify-out=${out}`]
      const args = ['decrypt', ...verifying, await folder.file(key)]
      const { status, stdout, stderr } = await runProgram(command, args, { input: message })
      if (status !== 0) return { problem: stderr }
      const signatures = signer === undefined ? '' : await readFile(out, 'latin1').catch(() => '')
      return { content: stdout, signed: signatures.trim() !== '' }
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}
