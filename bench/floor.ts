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
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  getCipherInfo,
  hash,
  hkdfSync,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import type { EncryptionChoice } from '../src/protection/standard.ts'
import type { SmimeIdentity } from '../test/support/smime-identity.ts'
import type { Pair } from './cms.bench.ts'

export interface Floor {
  seal(): void
  open(): void
}

/** Length of signed attributes. */
const ATTRIBUTES_BYTES = 400

/** Of the CMS alone: the content is signed, content and signature are encrypted. */
export function cmsFloor({ signer, reader }: Pair, choice: EncryptionChoice, content: Uint8Array): Floor {
  const signing = signingFloor(signer.key, signer.certificate.publicKey)
  const transport = transportFloor(reader.key, choice)
  const [contentKey, iv] = keyAndIv(choice)
  const ciphertext = encryptBare(choice, contentKey, iv, content)
  return {
    seal: () => {
      signing.digest(content)
      signing.sign()
      randomBytes(48)
      transport.give([reader.certificate.publicKey], contentKey)
      encryptBare(choice, contentKey, iv, content)
    },
    open: () => {
      transport.take()
      decryptBare(choice, contentKey, iv, ciphertext)
      signing.digest(content)
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
  const publicKeys = recipients.map(({ certificate }) => certificate.publicKey)
  if (reader === undefined) throw new TypeError('a mail has a recipient')
  const signing = signingFloor(signer.key, signer.certificate.publicKey)
  const transport = transportFloor(reader.key, choice)
  const [contentKey, iv] = keyAndIv(choice)
  const ciphertext = encryptBare(choice, contentKey, iv, content)
  const base64 = ciphertext.bytes.toString('base64')
  const body = Buffer.from(base64, 'latin1')
  return {
    seal: () => {
      randomBytes(48)
      transport.give(publicKeys, contentKey)
      encryptBare(choice, contentKey, iv, content).bytes.toString('base64')
      signing.digest(body)
      signing.sign()
    },
    open: () => {
      signing.digest(body)
      signing.verify()
      transport.take()
      decryptBare(choice, contentKey, iv, { ...ciphertext, bytes: Buffer.from(base64, 'base64') })
    },
  }
}

interface Signing {
  /** Of the content. */
  digest(content: Uint8Array): void
  sign(): void
  verify(): void
}

/** The digest that goes with a kind of key, and with a curve. */
const DIGESTS: Readonly<Record<string, string>> = { secp384r1: 'sha384', secp521r1: 'sha512', rsa: 'sha256' }

export function signingFloor(key: KeyObject, publicKey: KeyObject): Signing {
  const attributes = randomBytes(ATTRIBUTES_BYTES)
  const type: string = key.asymmetricKeyType ?? 'none'
  const digest = DIGESTS[key.asymmetricKeyDetails?.namedCurve ?? type] ?? (type === 'ec' ? 'sha256' : undefined)
  const signature = sign(digest, attributes, key)
  const ofContent = digest ?? (type === 'ed448' ? 'shake256' : 'sha512')
  const options = { outputEncoding: 'buffer', ...(ofContent === 'shake256' ? { outputLength: 64 } : {}) } as const
  return {
    digest: (content) => hash(ofContent, content, options),
    sign: () => sign(digest, attributes, key),
    verify: () => verify(digest, attributes, publicKey, signature),
  }
}

interface Transport {
  /** To the recipients of one mail, whose keys are of one kind. */
  give(publicKeys: readonly KeyObject[], contentKey: Uint8Array): void
  take(): void
}

export function transportFloor(key: KeyObject, choice: EncryptionChoice): Transport {
  if (key.asymmetricKeyType === 'rsa') return rsaFloor(key, choice)
  return (key.asymmetricKeyType ?? '').startsWith('ml-kem') ? kemFloor(key) : agreementFloor(key)
}

function rsaFloor(key: KeyObject, { keyTransport }: EncryptionChoice): Transport {
  const padding =
    keyTransport === 'rsa-oaep'
      ? { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
      : { padding: constants.RSA_PKCS1_PADDING }
  const given = publicEncrypt({ key, ...padding }, randomBytes(32))
  return {
    give: (publicKeys, contentKey) => {
      for (const key of publicKeys) publicEncrypt({ key, ...padding }, contentKey)
    },
    take: () => privateDecrypt({ key, ...padding }, given),
  }
}

function agreementFloor(key: KeyObject): Transport {
  const namedCurve = key.asymmetricKeyDetails?.namedCurve
  const makePair = () =>
    namedCurve === undefined
      ? generateKeyPairSync(key.asymmetricKeyType as 'x25519')
      : generateKeyPairSync('ec', { namedCurve })
  const spki = makePair().publicKey.export({ format: 'der', type: 'spki' })
  const { derive, wrap, unwrap } = wrappingFloor(namedCurve === undefined)
  return {
    give: (publicKeys, contentKey) => {
      const { publicKey: point, privateKey } = makePair()
      point.export({ format: 'raw-public' })
      for (const publicKey of publicKeys) {
        derive(diffieHellman({ privateKey, publicKey }))
        wrap(contentKey)
      }
    },
    take: () => {
      const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' }) // it comes with the mail
      derive(diffieHellman({ privateKey: key, publicKey }))
      unwrap()
    },
  }
}

function kemFloor(key: KeyObject): Transport {
  const { derive, wrap, unwrap } = wrappingFloor(true)
  const { ciphertext } = encapsulate(createPublicKey(key))
  return {
    give: (publicKeys, contentKey) => {
      for (const publicKey of publicKeys) {
        derive(encapsulate(publicKey).sharedKey)
        wrap(contentKey)
      }
    },
    take: () => {
      derive(decapsulate(key, ciphertext))
      unwrap()
    },
  }
}

/** A wrapping key is derived, by HKDF or one hash, and wraps a content key. */
function wrappingFloor(hkdf: boolean) {
  const [wrappingKey, iv] = [randomBytes(32), Buffer.alloc(8, 0xa6)]
  const wrap = (contentKey: Uint8Array): Buffer => createCipheriv('id-aes256-wrap', wrappingKey, iv).update(contentKey)
  const wrapped = wrap(randomBytes(32))
  return {
    derive: (secret: Uint8Array) =>
      hkdf ? hkdfSync('sha256', secret, wrapped, wrapped, 32) : hash('sha256', secret, 'buffer'),
    wrap,
    unwrap: () => createDecipheriv('id-aes256-wrap', wrappingKey, iv).update(wrapped),
  }
}

interface Ciphertext {
  readonly bytes: Buffer
  readonly rest: Uint8Array
  readonly tag: Uint8Array | undefined
}

const DEFAULT_CIPHER = 'aes-256-cbc'

function keyAndIv({ cipher = DEFAULT_CIPHER }: EncryptionChoice): readonly [key: Buffer, iv: Buffer] {
  const info = getCipherInfo(cipher)
  return [randomBytes(info?.keyLength ?? 32), randomBytes(info?.ivLength ?? 16)]
}

function encryptBare(
  { cipher = DEFAULT_CIPHER }: EncryptionChoice,
  key: Uint8Array,
  iv: Uint8Array,
  content: Uint8Array,
): Ciphertext {
  const running = createCipheriv(cipher as 'aes-256-gcm', key, iv)
  const [bytes, rest] = [running.update(content), running.final()]
  return { bytes, rest, tag: cipher.endsWith('cbc') ? undefined : running.getAuthTag() }
}

function decryptBare(
  { cipher = DEFAULT_CIPHER }: EncryptionChoice,
  key: Uint8Array,
  iv: Uint8Array,
  { bytes, rest, tag }: Ciphertext,
): void {
  const running = createDecipheriv(cipher as 'aes-256-gcm', key, iv)
  if (tag !== undefined) running.setAuthTag(tag)
  running.update(bytes)
  if (rest.length > 0) running.update(rest)
  running.final()
}
