/**
 * What one mail costs at least: the bare node:crypto operations that it needs, with keys as KeyObjects, each in one call
 * over all of the bytes. No structures, no MIME, no copies.
 */
import {
  type KeyObject,
  constants,
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import type { EncryptionChoice } from '../src/protection/standard.ts'
import type { SmimeIdentity } from '../test/support/smime-identity.ts'

export interface Floor {
  seal(): void
  open(): void
}

/** Length of signed attributes. */
const ATTRIBUTES_BYTES = 400

/** Of the CMS alone: the content is signed, content and signature are encrypted, to the signer. */
export function cmsFloor({ certificate, key }: SmimeIdentity, choice: EncryptionChoice, content: Uint8Array): Floor {
  const signing = signingFloor(key, certificate.publicKey)
  const transport = transportFloor(key, choice)
  const [contentKey, iv] = [randomBytes(32), randomBytes(choice.cipher === 'aes-256-gcm' ? 12 : 16)]
  const ciphertext = encryptBare(choice, contentKey, iv, content)
  return {
    seal: () => {
      hash('sha256', content, 'buffer')
      signing.sign()
      randomBytes(48)
      transport.give(certificate.publicKey, contentKey)
      encryptBare(choice, contentKey, iv, content)
    },
    open: () => {
      transport.take()
      decryptBare(choice, contentKey, iv, ciphertext)
      hash('sha256', content, 'buffer')
      signing.verify()
    },
  }
}

/** Of a whole mail in the patent's order: encrypted to the recipients, base64, then signed. The first of them opens it. */
export function mailFloor(
  signer: SmimeIdentity,
  recipients: readonly SmimeIdentity[],
  choice: EncryptionChoice,
  content: Uint8Array,
): Floor {
  const [reader] = recipients
  if (reader === undefined) throw new TypeError('a mail has a recipient')
  const signing = signingFloor(signer.key, signer.certificate.publicKey)
  const transport = transportFloor(reader.key, choice)
  const [contentKey, iv] = [randomBytes(32), randomBytes(choice.cipher === 'aes-256-gcm' ? 12 : 16)]
  const ciphertext = encryptBare(choice, contentKey, iv, content)
  const base64 = ciphertext.bytes.toString('base64')
  const body = Buffer.from(base64, 'latin1')
  return {
    seal: () => {
      randomBytes(48)
      for (const { certificate } of recipients) transport.give(certificate.publicKey, contentKey)
      encryptBare(choice, contentKey, iv, content).bytes.toString('base64')
      hash('sha256', body, 'buffer')
      signing.sign()
    },
    open: () => {
      hash('sha256', body, 'buffer')
      signing.verify()
      transport.take()
      decryptBare(choice, contentKey, iv, { ...ciphertext, bytes: Buffer.from(base64, 'base64') })
    },
  }
}

function signingFloor(key: KeyObject, publicKey: KeyObject): { sign(): void; verify(): void } {
  const attributes = randomBytes(ATTRIBUTES_BYTES)
  const signature = sign('sha256', attributes, key)
  return {
    sign: () => sign('sha256', attributes, key),
    verify: () => verify('sha256', attributes, publicKey, signature),
  }
}

interface Transport {
  give(publicKey: KeyObject, contentKey: Uint8Array): void
  take(): void
}

const transportFloor = (key: KeyObject, choice: EncryptionChoice): Transport =>
  key.asymmetricKeyType === 'rsa' ? rsaFloor(key, choice) : ecdhFloor(key)

function rsaFloor(key: KeyObject, { keyTransport }: EncryptionChoice): Transport {
  const padding =
    keyTransport === 'rsa-oaep'
      ? { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
      : { padding: constants.RSA_PKCS1_PADDING }
  const given = publicEncrypt({ key, ...padding }, randomBytes(32))
  return {
    give: (publicKey, contentKey) => publicEncrypt({ key: publicKey, ...padding }, contentKey),
    take: () => privateDecrypt({ key, ...padding }, given),
  }
}

function ecdhFloor(key: KeyObject): Transport {
  const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const spki = other.publicKey.export({ format: 'der', type: 'spki' })
  const [wrappingKey, iv] = [randomBytes(32), Buffer.alloc(8, 0xa6)]
  const wrap = (contentKey: Uint8Array): Buffer => createCipheriv('id-aes256-wrap', wrappingKey, iv).update(contentKey)
  const wrapped = wrap(randomBytes(32))
  return {
    give: (publicKey, contentKey) => {
      const oneTime = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      oneTime.publicKey.export({ format: 'raw-public' })
      diffieHellman({ privateKey: oneTime.privateKey, publicKey })
      hash('sha256', contentKey, 'buffer')
      wrap(contentKey)
    },
    take: () => {
      const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' }) // it comes with the mail
      diffieHellman({ privateKey: key, publicKey })
      hash('sha256', wrapped, 'buffer')
      createDecipheriv('id-aes256-wrap', wrappingKey, iv).update(wrapped)
    },
  }
}

interface Ciphertext {
  readonly bytes: Buffer
  readonly rest: Uint8Array
  readonly tag: Uint8Array | undefined
}

function encryptBare({ cipher }: EncryptionChoice, key: Uint8Array, iv: Uint8Array, content: Uint8Array): Ciphertext {
  if (cipher !== 'aes-256-gcm') {
    const running = createCipheriv('aes-256-cbc', key, iv)
    return { bytes: running.update(content), rest: running.final(), tag: undefined }
  }
  const running = createCipheriv('aes-256-gcm', key, iv)
  return { bytes: running.update(content), rest: running.final(), tag: running.getAuthTag() }
}

function decryptBare({ cipher }: EncryptionChoice, key: Uint8Array, iv: Uint8Array, ciphertext: Ciphertext): void {
  if (cipher !== 'aes-256-gcm' || ciphertext.tag === undefined) {
    const running = createDecipheriv('aes-256-cbc', key, iv)
    running.update(ciphertext.bytes)
    running.update(ciphertext.rest)
    running.final()
    return
  }
  const running = createDecipheriv('aes-256-gcm', key, iv)
  running.setAuthTag(ciphertext.tag)
  running.update(ciphertext.bytes)
  running.final()
}
