/** PKCS#12 files (RFC 7292): private keys and certificates under one password, in and out. */
import { type KeyObject, createHmac, createPublicKey, hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { equalBytes } from '../../../base/bytes.ts'
import type { Result } from '../../../base/result.ts'
import { joinedOctets, parseBer } from '../asn1/ber-reader.ts'
import { type Node, readSmallInteger } from '../asn1/der-reader.ts'
import { NULL, contextTagged, der, integer, octetString, oid, sequence, setOf } from '../asn1/der-writer.ts'
import { TAG, context, contextConstructed } from '../asn1/tlv.ts'
import { digestByName, readDigestAlgorithm } from '../algorithms.ts'
import { parseCertificate } from '../x509/certificate.ts'
import { Malformed, attempt, need } from '../../malformed.ts'
import { expectTag, oidOf } from '../asn1/der-fields.ts'
import {
  ITERATIONS_MAX,
  ITERATIONS_WRITTEN,
  type IterationBudget,
  WRONG_PASSWORD,
  decryptWithPassword,
  encryptWithPassword,
  hmacDigest,
  pbkdf2,
  pkcs12Kdf,
  spend,
} from './password-encryption.ts'
import { readPemBlocks } from './pem.ts'
import { decryptPrivateKeyInfo, importKey } from './private-key.ts'

export const PKCS12_SIZE_MAX_BYTES = 4 * 2 ** 20
export const PKCS12_BAGS_MAX = 200
const NESTED_SAFES_MAX = 4

const DATA = '1.2.840.113549.1.7.1'
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6'
const PBMAC1 = '1.2.840.113549.1.5.14'
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1'
const LOCAL_KEY_ID = '1.2.840.113549.1.9.21'
const BAG = {
  key: '1.2.840.113549.1.12.10.1.1',
  shroudedKey: '1.2.840.113549.1.12.10.1.2',
  certificate: '1.2.840.113549.1.12.10.1.3',
  safe: '1.2.840.113549.1.12.10.1.6',
} as const

export interface Pkcs12Contents {
  /** In the order of the file. */
  readonly keys: readonly KeyObject[]
  /** DER; all of them, authorities too. */
  readonly certificates: readonly Uint8Array[]
  /** Each certificate that belongs to a key of the file. Decided by the public key: localKeyId is only a claim. */
  readonly pairs: readonly { readonly key: KeyObject; readonly certificate: Uint8Array }[]
}

export interface Pkcs12Limits {
  readonly iterationsMax?: number
}

/**
 * Reads a PKCS#12 file. The MAC is checked where there is one; a wrong password is an error like every other. Accepts
 * BER and PEM. Key and certificate kinds that we cannot use make an error, other bags are passed over.
 */
export function readPkcs12(bytes: Uint8Array, password: string, limits: Pkcs12Limits = {}): Result<Pkcs12Contents> {
  return attempt(() => {
    if (bytes.length > PKCS12_SIZE_MAX_BYTES) throw new Malformed('PKCS#12 file is too large')
    const [version, authSafe, mac] = berNode(withoutPem(bytes), 'PKCS#12 file').children
    if (readSmallInteger(expectTag(version, TAG.INTEGER, 'PKCS#12 version').content) !== 3)
      throw new Malformed('PKCS#12 file is not of version 3')
    const content = contentOf(expectTag(authSafe, TAG.SEQUENCE, 'authSafe'))
    const budget = { iterations: limits.iterationsMax ?? ITERATIONS_MAX }
    const state = { password, budget, bags: PKCS12_BAGS_MAX, keys: [], certificates: [] }
    if (mac !== undefined) checkMac(mac, content, password, budget)
    for (const safe of berNode(content, 'authenticated safe').children) readSafe(state, safe)
    return pair(state)
  })
}

/** Some programs wrap the file in PEM (label PKCS12). */
function withoutPem(bytes: Uint8Array): Uint8Array {
  if (bytes[0] === TAG.SEQUENCE) return bytes
  const blocks = readPemBlocks(bytes)
  return (blocks.ok ? blocks.value.find(({ label }) => label === 'PKCS12')?.der : undefined) ?? bytes
}

function berNode(bytes: Uint8Array, what: string): Node {
  const parsed = parseBer(bytes)
  if (!parsed.ok) throw new Malformed(`${what}: ${parsed.error}`)
  return expectTag(parsed.value, TAG.SEQUENCE, what)
}

/** Octets of a ContentInfo of type data (RFC 5652 §4). */
function contentOf(contentInfo: Node): Uint8Array {
  const [type, wrapper] = contentInfo.children
  const id = oidOf(type, 'content type')
  if (id !== DATA) throw new Malformed(`PKCS#12 content of type ${id} is not supported`)
  return octetsOf(expectTag(wrapper, contextConstructed(0), 'content').children[0])
}

function octetsOf(node: Node | undefined, tag: number = TAG.OCTET_STRING): Uint8Array {
  return need(node === undefined ? undefined : joinedOctets(node, tag), 'octets are missing')
}

/** MacData (RFC 7292 §4), with PBMAC1 (RFC 9879) in the place of the digest algorithm. */
function checkMac(macData: Node, content: Uint8Array, password: string, budget: IterationBudget): void {
  const [digestInfo, salt, iterations] = expectTag(macData, TAG.SEQUENCE, 'MAC').children
  const [algorithm, digest] = expectTag(digestInfo, TAG.SEQUENCE, 'MAC').children
  const expected = octetsOf(digest)
  const wanted = expectTag(algorithm, TAG.SEQUENCE, 'MAC algorithm')
  const computed =
    oidOf(wanted.children[0], 'MAC algorithm') === PBMAC1
      ? pbmac1(expectTag(wanted.children[1], TAG.SEQUENCE, 'PBMAC1'), content, password, budget)
      : legacyMac(wanted, octetsOf(salt), iterations, { content, password, budget })
  if (!equalLength(computed, expected) || !timingSafeEqual(computed, expected)) throw new Malformed(WRONG_PASSWORD)
}

const equalLength = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length

function pbmac1(parameters: Node, content: Uint8Array, password: string, budget: IterationBudget): Uint8Array {
  const [kdf, mac] = parameters.children
  const digest = hmacDigest(oidOf(expectTag(mac, TAG.SEQUENCE, 'PBMAC1').children[0], 'PBMAC1'))
  const derivation = expectTag(kdf, TAG.SEQUENCE, 'PBMAC1')
  const length = expectTag(derivation.children[1], TAG.SEQUENCE, 'PBMAC1').children[2]
  const keyBytes = readSmallInteger(expectTag(length, TAG.INTEGER, 'PBMAC1 key length').content)
  if (
    digest === undefined ||
    keyBytes === undefined ||
    keyBytes < PBMAC1_KEY_MIN_BYTES ||
    keyBytes > PBMAC1_KEY_MAX_BYTES
  )
    throw new Malformed('PBMAC1 parameters are not supported')
  return createHmac(digest, pbkdf2(derivation, keyBytes, password, budget))
    .update(content)
    .digest()
}

const PBMAC1_KEY_MIN_BYTES = 20 // RFC 9879 wants no shorter keys
const PBMAC1_KEY_MAX_BYTES = 64

interface MacInput {
  readonly content: Uint8Array
  readonly password: string
  readonly budget: IterationBudget
}

function legacyMac(algorithm: Node, salt: Uint8Array, iterations: Node | undefined, input: MacInput): Uint8Array {
  const digest = need(readDigestAlgorithm(algorithm), 'the MAC algorithm is not supported')
  const count = iterations === undefined ? 1 : spend(iterations, input.budget)
  const kdf = { digest: digest.name, salt, iterations: count, purpose: 'mac', lengthBytes: digest.lengthBytes } as const
  return createHmac(digest.name, pkcs12Kdf({ ...kdf, password: input.password }))
    .update(input.content)
    .digest()
}

interface ReadState {
  readonly password: string
  readonly budget: IterationBudget
  bags: number
  readonly keys: KeyObject[]
  readonly certificates: Uint8Array[]
}

function readSafe(state: ReadState, contentInfo: Node): void {
  const [type, wrapper] = expectTag(contentInfo, TAG.SEQUENCE, 'safe').children
  const bytes = oidOf(type, 'content type') === ENCRYPTED_DATA ? decryptSafe(state, wrapper) : contentOf(contentInfo)
  readBags(state, berNode(bytes, 'safe contents'), NESTED_SAFES_MAX)
}

/** EncryptedData (RFC 5652 §8). */
function decryptSafe(state: ReadState, wrapper: Node | undefined): Uint8Array {
  const data = expectTag(wrapper, contextConstructed(0), 'encrypted data').children[0]
  const info = expectTag(data, TAG.SEQUENCE, 'encrypted data').children[1]
  const [, algorithm, ciphertext] = expectTag(info, TAG.SEQUENCE, 'encrypted data').children
  const octets = octetsOf(ciphertext, context(0))
  return decryptWithPassword(expectTag(algorithm, TAG.SEQUENCE, 'encryption'), octets, state.password, state.budget)
}

function readBags(state: ReadState, contents: Node, depth: number): void {
  for (const bag of contents.children) {
    if (--state.bags < 0) throw new Malformed('too many bags')
    const [type, wrapper] = expectTag(bag, TAG.SEQUENCE, 'bag').children
    const value = expectTag(wrapper, contextConstructed(0), 'bag').children[0]
    switch (oidOf(type, 'bag')) {
      case BAG.key:
        state.keys.push(importKey(expectTag(value, TAG.SEQUENCE, 'key').raw))
        break
      case BAG.shroudedKey:
        state.keys.push(
          importKey(decryptPrivateKeyInfo(expectTag(value, TAG.SEQUENCE, 'key'), state.password, state.budget)),
        )
        break
      case BAG.certificate:
        readCertificateBag(state, expectTag(value, TAG.SEQUENCE, 'certificate bag'))
        break
      case BAG.safe:
        if (depth === 0) throw new Malformed('safes are nested too deeply')
        readBags(state, expectTag(value, TAG.SEQUENCE, 'safe'), depth - 1)
        break
      default: // CRL and secret bags hold nothing for us
    }
  }
}

function readCertificateBag(state: ReadState, bag: Node): void {
  const [type, wrapper] = bag.children
  if (oidOf(type, 'certificate bag') !== X509_CERTIFICATE) return
  const certificate = octetsOf(expectTag(wrapper, contextConstructed(0), 'certificate bag').children[0])
  state.certificates.push(new Uint8Array(certificate))
}

function pair({ keys, certificates }: ReadState): Pkcs12Contents {
  const pairs = keys.flatMap((key) => {
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
    return certificates.flatMap((certificate) => {
      const parsed = parseCertificate(certificate)
      const fits = parsed.ok && equalBytes(parsed.value.publicKey.export({ type: 'spki', format: 'der' }), spki)
      return fits ? [{ key, certificate }] : []
    })
  })
  return { keys, certificates, pairs }
}

/**
 * Writes keys with their certificates, and other certificates after them: PBES2 with AES-256, MAC with HMAC-SHA-256, as
 * openssl, Windows, macOS and NSS of today read it.
 */
export function writePkcs12(o: {
  readonly pairs: Pkcs12Contents['pairs']
  readonly others?: readonly Uint8Array[]
  readonly password: string
  /** Of each derivation. */
  readonly iterations?: number
}): Uint8Array {
  const iterations = o.iterations ?? ITERATIONS_WRITTEN
  const keyBags = o.pairs.map(({ key, certificate }) => {
    const shrouded = encryptWithPassword(key.export({ type: 'pkcs8', format: 'der' }), o.password, iterations)
    const keyInfo = sequence(shrouded.algorithm, octetString(shrouded.ciphertext))
    return sequence(oid(BAG.shroudedKey), contextTagged(0, keyInfo), localKeyId(certificate))
  })
  const certificateBags = [
    ...o.pairs.map(({ certificate }) => certificateBag(certificate, localKeyId(certificate))),
    ...(o.others ?? []).map((certificate) => certificateBag(certificate)),
  ]
  const content = sequence(
    encryptedSafe(sequence(...certificateBags), o.password, iterations),
    dataContent(sequence(...keyBags)),
  )
  return sequence(integer(3), dataContent(content), macOf(content, o.password, iterations))
}

/** Attributes that bring a key and its certificate together (RFC 7292 §4.2). */
const localKeyId = (certificate: Uint8Array): Uint8Array =>
  setOf([sequence(oid(LOCAL_KEY_ID), setOf([octetString(hash('sha1', certificate, 'buffer'))]))])

const certificateBag = (certificate: Uint8Array, ...attributes: readonly Uint8Array[]): Uint8Array =>
  sequence(
    oid(BAG.certificate),
    contextTagged(0, sequence(oid(X509_CERTIFICATE), contextTagged(0, octetString(certificate)))),
    ...attributes,
  )

const dataContent = (content: Uint8Array): Uint8Array => sequence(oid(DATA), contextTagged(0, octetString(content)))

function encryptedSafe(contents: Uint8Array, password: string, iterations: number): Uint8Array {
  const { algorithm, ciphertext } = encryptWithPassword(contents, password, iterations)
  const info = sequence(oid(DATA), algorithm, der(context(0), ciphertext))
  return sequence(oid(ENCRYPTED_DATA), contextTagged(0, sequence(integer(0), info)))
}

function macOf(content: Uint8Array, password: string, iterations: number): Uint8Array {
  const digest = digestByName('sha256')
  const salt = randomBytes(16)
  const key = pkcs12Kdf({
    digest: digest.name,
    password,
    salt,
    iterations,
    purpose: 'mac',
    lengthBytes: digest.lengthBytes,
  })
  const mac = createHmac(digest.name, key).update(content).digest()
  return sequence(sequence(sequence(oid(digest.oid), NULL), octetString(mac)), octetString(salt), integer(iterations))
}
