/** sq, the command line of Sequoia: what its Stateless OpenPGP does not offer, such as kinds of keys and compression. */
import { runProgram } from './correspondent.ts'
import { Folder, type OpenpgpProgram, succeed } from './openpgp-program.ts'

export async function makeSq(): Promise<OpenpgpProgram> {
  const folder = await Folder.make()
  return {
    name: (await succeed('sq', ['--version'])).stdout.toString().split(' (')[0] ?? 'sq',
    async newKey(userId, kind = 'cv25519') {
      const key = folder.unused()
      await succeed('sq', ['key', 'generate', '--cipher-suite', kind, '--userid', userId, '--export', key])
      return (await succeed('sq', ['dearmor', key])).stdout
    },
    publicOf: async (key) => (await succeed('sq', ['key', 'extract-cert', await folder.file(key)])).stdout,
    sign: async (content, key, args = []) =>
      (await succeed('sq', ['sign', '--detached', '--signer-key', await folder.file(key), ...args], content)).stdout,
    async verify(content, signature, signer) {
      const args = ['verify', '--detached', await folder.file(signature), '--signer-cert', await folder.file(signer)]
      const { status, stderr } = await runProgram('sq', args, { input: content })
      return status === 0 ? undefined : stderr
    },
    clearsign: async (text, key) =>
      (await succeed('sq', ['sign', '--cleartext-signature', '--signer-key', await folder.file(key)], text)).stdout,
    async encrypt(content, { to, signer, args = [] }) {
      const signing = signer === undefined ? [] : ['--signer-key', await folder.file(signer)]
      const files = await Promise.all(to.map((each) => folder.file(each)))
      const recipients = files.flatMap((each) => ['--recipient-cert', each])
      return (await succeed('sq', ['encrypt', ...recipients, ...signing, ...args], content)).stdout
    },
    async decrypt(message, key, signer) {
      const verifying = signer === undefined ? [] : ['--signer-cert', await folder.file(signer)]
      const args = ['decrypt', '--recipient-key', await folder.file(key), ...verifying]
      const { status, stdout, stderr } = await runProgram('sq', args, { input: message })
      // With a signer given, a message without a good signature is an error.
      return status === 0 ? { content: stdout, signed: signer !== undefined } : { problem: stderr }
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}
