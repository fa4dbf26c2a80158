/** openpgp.js, in this process: it knows version 6 (RFC 9580), which no program of Debian 12 does. */
import { Buffer } from 'node:buffer'
import * as openpgp from 'openpgp'
import type { OpenpgpProgram } from './openpgp-program.ts'

type Kind = { readonly type: 'ecc' | 'curve25519' | 'curve448'; readonly v6: boolean }

const KINDS: Readonly<Record<string, Kind>> = {
  'v4-ecc': { type: 'ecc', v6: false },
  'v4-curve25519': { type: 'curve25519', v6: false },
  'v6-curve25519': { type: 'curve25519', v6: true },
  'v6-curve448': { type: 'curve448', v6: true },
}

export function makeOpenpgpJs(): Promise<OpenpgpProgram> {
  const keyOf = (binaryKey: Uint8Array) => openpgp.readPrivateKey({ binaryKey })
  const certificateOf = (binaryKey: Uint8Array) => openpgp.readKey({ binaryKey })
  return Promise.resolve({
    name: 'openpgp.js 6',
    async newKey(userId, kind = 'v6-curve25519') {
      const [name = '', email = ''] = userId.replace('>', '').split(' <')
      const { type = 'curve25519', v6 = true } = KINDS[kind] ?? {}
      const { privateKey } = await openpgp.generateKey({
        type,
        userIDs: [{ name, email }],
        format: 'object',
        config: { v6Keys: v6, aeadProtect: v6 },
      })
      return Buffer.from(privateKey.write())
    },
    publicOf: async (key) => Buffer.from((await keyOf(key)).toPublic().write()),
    async sign(content, key) {
      const message = await openpgp.createMessage({ binary: content })
      return Buffer.from(await openpgp.sign({ message, signingKeys: await keyOf(key), detached: true }))
    },
    async verify(content, armoredSignature, signer) {
      const message = await openpgp.createMessage({ binary: content })
      const signature = await openpgp.readSignature({ armoredSignature: Buffer.from(armoredSignature).toString() })
      const verificationKeys = await certificateOf(signer)
      const { signatures } = await openpgp.verify({ message, signature, verificationKeys })
      return signatures[0]?.verified.then(
        () => undefined,
        (error: Error) => error.message,
      )
    },
    async encrypt(content, { to, signer, args = [] }) {
      const message = await openpgp.createMessage({ binary: content })
      const encryptionKeys = await Promise.all(to.map(certificateOf))
      const signing = signer === undefined ? {} : { signingKeys: await keyOf(signer) }
      const config = { preferredAEADAlgorithm: AEADS[args[0] ?? ''] ?? openpgp.enums.aead.gcm }
      return Buffer.from(await openpgp.encrypt({ message, encryptionKeys, ...signing, config }))
    },
    async decrypt(message, key, signer) {
      const verifying = signer === undefined ? {} : { verificationKeys: await certificateOf(signer) }
      try {
        const opened = await openpgp.decrypt({
          message: await openpgp.readMessage({ armoredMessage: Buffer.from(message).toString() }),
          decryptionKeys: await keyOf(key),
          format: 'binary',
          ...verifying,
        })
        const signed = signer !== undefined && (await opened.signatures[0]?.verified) === true
        return { content: Buffer.from(opened.data as Uint8Array), signed }
      } catch (error) {
        return { problem: String(error) }
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  })
}

const AEADS: Readonly<Record<string, number>> = {
  eax: openpgp.enums.aead.eax,
  ocb: openpgp.enums.aead.ocb,
  gcm: openpgp.enums.aead.gcm,
}
