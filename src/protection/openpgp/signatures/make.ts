/** Makes signatures of version 4 and 6, each of the version of its key (RFC 9580 §5.2.3). */
import { type KeyObject, constants, privateEncrypt, randomBytes, sign } from 'node:crypto'
import { concatBytes } from '../../../base/bytes.ts'
import { type HashRow, hashById } from '../algorithms/hashes.ts'
import { publicKeyAlgorithm } from '../algorithms/public-keys.ts'
import { type KeyPacket, uint32 } from '../keys/key-packet.ts'
import { curveOf } from '../keys/public-material.ts'
import { writeMpi } from '../packets/cursor.ts'
import { PACKET, writePacket } from '../packets/packet.ts'
import { type CertifiedThing, certifiedBytes, signingHasher } from './signature-hash.ts'
import { trailerOf } from './signature-packet.ts'
import { SUBPACKET, type Subpacket, writeSubpackets } from './subpackets.ts'

export interface SignaturePlan {
  /** One of `SIGNATURE_TYPE`. */
  readonly type: number
  readonly packet: KeyPacket
  /** The private keys of `packet`, in its order. */
  readonly handles: readonly KeyObject[]
  /** By its number; what suits the key where nothing is said. */
  readonly hash?: number
  /** Besides the time and the issuer. */
  readonly subpackets?: readonly Subpacket[]
  readonly atMs: number
}

export interface SignatureMaker {
  /** For a one-pass signature in front (RFC 9580 §5.4). */
  readonly hash: number
  readonly salt: Uint8Array
  update(chunk: Uint8Array): void
  /** The body of the signature packet; once. */
  finish(): Uint8Array
}

const SHA256 = 8
const SHA512 = 10

/** With which hash a key signs: as strong as the key. */
export function hashFor({ version, publicKeys }: KeyPacket): number {
  const [key] = publicKeys
  if (version === 6 || key?.asymmetricKeyType === 'ed448') return SHA512
  return key?.asymmetricKeyType === 'ec' && curveOf(key).sizeBytes > 32 ? SHA512 : SHA256
}

/** Takes what is to be signed in pieces. */
export function signatureMaker(plan: SignaturePlan): SignatureMaker {
  const { packet, type } = plan
  const version = packet.version === 6 ? 6 : 4
  const hash = hashById(plan.hash ?? hashFor(packet))
  if (hash === undefined) throw new TypeError('the hash is not known')
  const { hash: hasher, sign: signer } = signingHasher(packet.algorithm, hash.id)
  const salt = version === 6 ? randomBytes(hash.saltBytes ?? 0) : new Uint8Array()
  const area = writeSubpackets([...standing(plan), ...(plan.subpackets ?? [])])
  const length = version === 6 ? uint32(area.length) : Uint8Array.of(area.length >>> 8, area.length & 0xff)
  const head = concatBytes([Uint8Array.of(version, type, packet.algorithm, hash.id), length, area])
  const update = (chunk: Uint8Array): void => {
    hasher.update(chunk)
    signer?.update(chunk)
  }
  update(salt)
  return {
    hash: hash.id,
    salt,
    update,
    finish() {
      update(trailerOf(version, head))
      const digest = hasher.digest()
      const values =
        signer === undefined
          ? signDigest(plan, hash, digest)
          : pairOfMpis(signer.sign({ key: plan.handles[0] as KeyObject, dsaEncoding: 'ieee-p1363' }))
      const noHints = new Uint8Array(version === 6 ? 4 : 2)
      const saltField = version === 6 ? [Uint8Array.of(salt.length), salt] : []
      return concatBytes([head, noHints, digest.subarray(0, 2), ...saltField, values])
    },
  }
}

/** A signature packet over something in a certificate. */
export function certify(plan: SignaturePlan, thing: CertifiedThing): Uint8Array {
  return writePacket(PACKET.SIGNATURE, certifyBody(plan, thing))
}

/** As `certify`, without the header of the packet: to be embedded in another signature. */
export function certifyBody(plan: SignaturePlan, thing: CertifiedThing): Uint8Array {
  const bytes = certifiedBytes({ type: plan.type, version: plan.packet.version }, thing)
  if (bytes === undefined) throw new TypeError('a signature of this type is about something else')
  const maker = signatureMaker(plan)
  for (const piece of bytes) maker.update(piece)
  return maker.finish()
}

/** Time and issuer. Both are critical nowhere: a reader that skips them learns less and believes no more. */
function standing({ packet, atMs }: SignaturePlan): readonly Subpacket[] {
  const fingerprint = Uint8Array.of(packet.version, ...Buffer.from(packet.fingerprint, 'hex'))
  const issuer = { type: SUBPACKET.ISSUER_FINGERPRINT, critical: false, body: fingerprint }
  // GnuPG before 2.1.16 finds the key by its id only; version 6 has no such subpacket (RFC 9580 §5.2.3.12)
  const keyId = { type: SUBPACKET.ISSUER_KEY_ID, critical: false, body: packet.keyId }
  const time = { type: SUBPACKET.CREATION_TIME, critical: false, body: uint32(Math.floor(atMs / 1000)) }
  return packet.version === 6 ? [time, issuer] : [time, issuer, keyId]
}

function signDigest({ packet, handles }: SignaturePlan, hash: HashRow, digest: Uint8Array): Uint8Array {
  const [key] = handles
  const { layout } = publicKeyAlgorithm(packet.algorithm) ?? {}
  if (key === undefined) throw new TypeError('no private key to sign with')
  switch (layout?.kind) {
    case 'rsa': {
      const encoded = concatBytes([hash.digestInfo, digest])
      return writeMpi(privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, encoded))
    }
    case 'eddsa-legacy':
      return pairOfMpis(sign(undefined, digest, key))
    case 'native':
      return concatBytes(handles.map((handle) => sign(undefined, digest, handle)))
    case 'dsa': // node:crypto signs with these what it has hashed itself
    case 'ecdsa':
    case 'elgamal':
    case 'ecdh':
    case undefined:
      throw new TypeError('a key of this kind does not sign')
  }
}

function pairOfMpis(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2
  return concatBytes([writeMpi(signature.subarray(0, half)), writeMpi(signature.subarray(half))])
}
