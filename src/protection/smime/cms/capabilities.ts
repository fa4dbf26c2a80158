/**
 * SMIMECapabilities: what a program says it can do (RFC 8551 §2.5.2), in a signature or in a certificate (RFC 4262). Read
 * in the words of the choices, and written from the tables of what we read.
 */
import { latin1 } from '../../../base/bytes.ts'
import type { WrittenCipher, WrittenKeyTransport, WrittenSignature, StatedAbilities } from '../../standard.ts'
import { CIPHERS_BEST_FIRST } from '../../strength.ts'
import { type AlgorithmId, readAlgorithm } from '../algorithms.ts'
import { type Node, parseDer } from '../asn1/der-reader.ts'
import { oid, sequence } from '../asn1/der-writer.ts'
import { TAG } from '../asn1/tlv.ts'
import { type SmimeCertificate, findExtension } from '../x509/certificate.ts'
import { RSASSA_PSS } from '../signature-algorithms.ts'
import { CIPHERS } from './ciphers.ts'
import { OAEP_ALGORITHM, isOurOaep } from './key-transport.ts'

/** The attribute, and the certificate extension of the same name (RFC 4262). */
export const SMIME_CAPABILITIES = '1.2.840.113549.1.9.15'
/** Further ones are not looked at; programs name a dozen. */
const CAPABILITIES_MAX = 64

/** What we read, best first: every content cipher that we would also write, then OAEP, then RSASSA-PSS. */
export function capabilitiesDer(): Uint8Array {
  const ciphers = CIPHERS_BEST_FIRST.flatMap((name) => CIPHERS.filter((row) => row.name === name))
  return sequence(...ciphers.map((row) => sequence(oid(row.oid))), OAEP_ALGORITHM, sequence(oid(RSASSA_PSS)))
}

/** Each version of a program says the same in all of its mails. By encoding, one character an octet. */
const knownAbilities = new Map<string, StatedAbilities>()
const KNOWN_MAX = 500
const KNOWN_ENTRY_MAX_BYTES = 1024

/** A parsed SMIMECapabilities; what we have no word for is passed over, and `undefined` means malformed. */
export function readCapabilities(node: Node): StatedAbilities | undefined {
  const encoding = node.raw.length > KNOWN_ENTRY_MAX_BYTES ? '' : latin1(node.raw)
  const known = knownAbilities.get(encoding)
  if (known !== undefined) return known
  const abilities = abilitiesIn(node)
  if (abilities !== undefined && encoding !== '' && knownAbilities.size < KNOWN_MAX)
    knownAbilities.set(encoding, abilities)
  return abilities
}

function abilitiesIn(node: Node): StatedAbilities | undefined {
  if (node.tag !== TAG.SEQUENCE) return undefined
  const ciphers = new Set<WrittenCipher>()
  const keyTransports = new Set<WrittenKeyTransport>()
  const signatures = new Set<WrittenSignature>()
  for (const capability of node.children.slice(0, CAPABILITIES_MAX)) {
    const algorithm = readAlgorithm(capability)
    if (!algorithm.ok) return undefined
    const cipher = cipherNamed(algorithm.value)
    if (cipher !== undefined) ciphers.add(cipher)
    else if (isOurOaep(algorithm.value)) keyTransports.add('rsa-oaep')
    else if (algorithm.value.oid === RSASSA_PSS) signatures.add('rsa-pss')
  }
  return { ciphers: [...ciphers], keyTransports: [...keyTransports], signatures: [...signatures] }
}

function cipherNamed({ oid: dotted }: AlgorithmId): WrittenCipher | undefined {
  const name = CIPHERS.find((row) => row.oid === dotted)?.name
  return CIPHERS_BEST_FIRST.find((each) => each === name)
}

/** Of the extension; without one, a key that only programs of S/MIME 4.0 and later know shows that they read AES-GCM. */
export function certificateAbilities(certificate: SmimeCertificate): StatedAbilities | undefined {
  const extension = findExtension(certificate, SMIME_CAPABILITIES)
  const parsed = extension === undefined ? undefined : parseDer(extension.value)
  const stated = parsed?.ok === true ? readCapabilities(parsed.value) : undefined
  if (stated !== undefined) return stated
  return MODERN_KEYS.test(certificate.publicKey.asymmetricKeyType ?? '') ? MODERN : undefined
}

/** RFC 8551 (S/MIME 4.0) asks every program for X25519 and AES-256-GCM alike; ML-KEM came years later. */
const MODERN_KEYS = /^(?:x25519|x448|ml-kem-\d+)$/
const MODERN: StatedAbilities = {
  ciphers: ['aes-256-gcm', 'aes-128-gcm', 'aes-256-cbc', 'aes-128-cbc'],
  keyTransports: [],
  signatures: [],
}
