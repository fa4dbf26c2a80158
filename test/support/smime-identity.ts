/** Key pairs with self-signed S/MIME certificates for tests; one of each kind a process, since RSA keys are slow to make. */
import { type KeyObject, createECDH, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import {
  bitString,
  contextTagged,
  der,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
  time,
} from '../../src/protection/smime/asn1/der-writer.ts'
import { TAG } from '../../src/protection/smime/asn1/tlv.ts'
import { type SmimeCertificate, parseCertificate } from '../../src/protection/smime/x509/certificate.ts'

const CURVES = {
  p256: 'prime256v1',
  p384: 'secp384r1',
  p521: 'secp521r1',
  brainpool256: 'brainpoolP256r1',
  brainpool256t1: 'brainpoolP256t1',
  brainpool384: 'brainpoolP384r1',
  brainpool512t1: 'brainpoolP512t1',
}
const RSA_BITS = { 'rsa-1024': 1024, 'rsa-2048': 2048, 'rsa-3072': 3072, 'rsa-4096': 4096 }

type CurveKind = keyof typeof CURVES
type RsaKind = keyof typeof RSA_BITS
export type IdentityKind =
  | RsaKind
  | CurveKind
  | 'ed25519'
  | 'ed448'
  | 'x25519'
  | 'x448'
  | 'ml-dsa-44'
  | 'ml-dsa-65'
  | 'ml-dsa-87'
  | 'ml-kem-512'
  | 'ml-kem-768'
  | 'ml-kem-1024'

const isCurve = (kind: IdentityKind): kind is CurveKind => kind in CURVES
const isRsa = (kind: IdentityKind): kind is RsaKind => kind in RSA_BITS

export interface SmimeIdentity {
  readonly certificate: SmimeCertificate
  readonly chain: readonly SmimeCertificate[]
  readonly key: KeyObject
}

const known = new Map<string, SmimeIdentity>()

/** The same pair for the same arguments. `address` goes into the subject and the SAN. */
export function smimeIdentity(kind: IdentityKind, address = `${kind}@example.com`): SmimeIdentity {
  const name = `${kind} ${address}`
  const identity = known.get(name) ?? makeIdentity(kind, address)
  known.set(name, identity)
  return identity
}

/** The same key in every run, so that an input that was found once can be fed again. P-256; serial number and key fixed. */
export function fixedIdentity(address: string, scalar: number): SmimeIdentity {
  const ecdh = createECDH('prime256v1')
  ecdh.setPrivateKey(Buffer.alloc(32, scalar))
  const [point, d] = [ecdh.getPublicKey(), ecdh.getPrivateKey('base64url')]
  const [x, y] = [point.subarray(1, 33).toString('base64url'), point.subarray(33).toString('base64url')]
  const key = createPrivateKey({ key: { kty: 'EC', crv: 'P-256', x, y, d }, format: 'jwk' })
  return identityOf(createPublicKey(key), key, address, scalar)
}

function makeIdentity(kind: IdentityKind, address: string): SmimeIdentity {
  const { publicKey, privateKey } = generatePair(kind)
  return identityOf(publicKey, privateKey, address, ++lastSerial)
}

function identityOf(publicKey: KeyObject, key: KeyObject, address: string, serial: number): SmimeIdentity {
  const parsed = parseCertificate(selfSigned(publicKey, key, address, serial))
  if (!parsed.ok) throw new Error(parsed.error)
  return { certificate: parsed.value, chain: [], key }
}

function generatePair(kind: IdentityKind): { publicKey: KeyObject; privateKey: KeyObject } {
  if (isCurve(kind)) return generateKeyPairSync('ec', { namedCurve: CURVES[kind] })
  if (isRsa(kind)) return generateKeyPairSync('rsa', { modulusLength: RSA_BITS[kind] })
  return generateKeyPairSync(kind as 'ed25519')
}

let lastSerial = 1000

/** A key that cannot sign is signed for by one that nobody keeps. */
function selfSigned(publicKey: KeyObject, privateKey: KeyObject, address: string, serial: number): Uint8Array {
  const signingKey = CANNOT_SIGN.test(privateKey.asymmetricKeyType ?? '') ? throwAway() : privateKey
  const algorithm = signatureAlgorithm(signingKey)
  const email = der(TAG.IA5_STRING, Buffer.from(address))
  const commonName = der(TAG.UTF8_STRING, Buffer.from(address))
  const subject = sequence(setOf([sequence(oid('2.5.4.3'), commonName)]))
  const san = der(0x81, email.subarray(2))
  const keyId = Buffer.alloc(20, serial % 256)
  const extensions = sequence(
    sequence(oid('2.5.29.17'), octetString(sequence(san))),
    sequence(oid('2.5.29.14'), octetString(octetString(keyId))),
    sequence(oid('2.5.29.37'), octetString(sequence(oid('1.3.6.1.5.5.7.3.4')))),
  )
  const tbs = sequence(
    contextTagged(0, integer(2)),
    integer(serial),
    algorithm.der,
    subject,
    sequence(time(Date.UTC(2020, 0, 1)), time(Date.UTC(2040, 0, 1))),
    subject,
    publicKey.export({ format: 'der', type: 'spki' }),
    contextTagged(3, extensions),
  )
  return sequence(tbs, algorithm.der, bitString(sign(algorithm.digest, tbs, signingKey)))
}

const PURE: Readonly<Record<string, string>> = {
  ed25519: '1.3.101.112',
  ed448: '1.3.101.113',
  'ml-dsa-44': '2.16.840.1.101.3.4.3.17',
  'ml-dsa-65': '2.16.840.1.101.3.4.3.18',
  'ml-dsa-87': '2.16.840.1.101.3.4.3.19',
}

const CANNOT_SIGN = /^x|^ml-kem/
const throwAway = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey

function signatureAlgorithm(key: KeyObject): { der: Uint8Array; digest: string | undefined } {
  const type: string = key.asymmetricKeyType ?? 'none'
  if (type === 'rsa') return { der: sequence(oid('1.2.840.113549.1.1.11'), Uint8Array.of(5, 0)), digest: 'sha256' }
  if (type === 'ec') return { der: sequence(oid('1.2.840.10045.4.3.2')), digest: 'sha256' }
  return { der: sequence(oid(PURE[type] ?? '')), digest: undefined }
}
