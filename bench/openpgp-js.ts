/** The same work by openpgp.js, in the same process; and the keys for everybody: v4 for all programs, v6 for the two that know it. */
import { type PrivateKey, createMessage, decrypt, encrypt, generateKey, readMessage, readPrivateKey } from 'openpgp'

export const PGP_KINDS = ['rsa-2048', '25519', '25519 v6'] as const
export type PgpKind = (typeof PGP_KINDS)[number]

const V6 = { v6Keys: true, aeadProtect: true }

/** A new transferable secret key, unprotected. */
export async function pgpKeyFile(kind: PgpKind, address: string): Promise<Uint8Array> {
  const common = { userIDs: [{ email: address }], format: 'binary' as const }
  const made =
    kind === 'rsa-2048'
      ? await generateKey({ ...common, type: 'rsa', rsaBits: 2048 })
      : kind === '25519'
        ? await generateKey({ ...common, type: 'ecc', curve: 'curve25519Legacy' })
        : await generateKey({ ...common, type: 'curve25519', config: V6 })
  return made.privateKey
}

export interface OpenpgpJs {
  seal(content: Uint8Array): Promise<string>
  open(message: string): Promise<void>
}

export async function makeOpenpgpJs(kind: PgpKind, keyFile: Uint8Array): Promise<OpenpgpJs> {
  const key: PrivateKey = await readPrivateKey({ binaryKey: keyFile })
  const config = { aeadProtect: kind === '25519 v6' }
  return {
    seal: async (content) => {
      const message = await createMessage({ binary: content })
      return String(await encrypt({ message, encryptionKeys: key.toPublic(), signingKeys: key, config }))
    },
    open: async (armoredMessage) => {
      const opened = await decrypt({
        message: await readMessage({ armoredMessage }),
        decryptionKeys: key,
        verificationKeys: key.toPublic(),
        expectSigned: true,
        format: 'binary',
      })
      await opened.signatures[0]?.verified
    },
  }
}
