/** What a signature hashes (RFC 9580 §5.2.4): its salt, then the data, then its own fields. */
import { type Hash, type Sign, type Verify, createHash, createSign, createVerify } from 'node:crypto'
import type { ByteSink } from '../../../base/byte-sink.ts'
import { CR, LF } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { hashById } from '../algorithms/hashes.ts'
import { publicKeyAlgorithm } from '../algorithms/public-keys.ts'
import { type KeyPacket, hashedKey, uint32 } from '../keys/key-packet.ts'
import { PACKET } from '../packets/packet.ts'
import { SIGNATURE_TYPE, type Signature } from './signature-packet.ts'

/** The end of hashing. `streamed` is the same data inside of DSA and ECDSA, which node:crypto does not give a digest to. */
export interface SignatureDigest {
  readonly bytes: Uint8Array
  readonly streamed?: Verify
}

export interface SignatureHasher {
  update(chunk: Uint8Array): void
  /** Once, at the end of the data. */
  digest(): SignatureDigest
}

/** Takes what the signature is over, in pieces. Throws Malformed when the hash is not one of ours. */
export function signatureHasher(
  signature: Pick<Signature, 'hash' | 'algorithm' | 'salt' | 'trailer'>,
): SignatureHasher {
  const hash = createHash(hashName(signature.hash))
  const verify = needsData(signature.algorithm) ? createVerify(hashName(signature.hash)) : undefined
  const update = (chunk: Uint8Array): void => {
    hash.update(chunk)
    verify?.update(chunk)
  }
  update(signature.salt)
  return {
    update,
    digest() {
      update(signature.trailer)
      return { bytes: hash.digest(), ...(verify === undefined ? {} : { streamed: verify }) }
    },
  }
}

/** As `signatureHasher`, of a signature that is yet to be made. */
export function signingHasher(algorithm: number, hashId: number): { readonly hash: Hash; readonly sign?: Sign } {
  const name = hashName(hashId)
  return { hash: createHash(name), ...(needsData(algorithm) ? { sign: createSign(name) } : {}) }
}

function hashName(id: number): string {
  const row = hashById(id)
  if (row === undefined) throw new Malformed(`the hash algorithm ${id} is not known`)
  return row.name
}

function needsData(algorithm: number): boolean {
  const kind = publicKeyAlgorithm(algorithm)?.layout.kind
  return kind === 'dsa' || kind === 'ecdsa'
}

/** What a signature in a certificate is over. */
export interface CertifiedThing {
  readonly primary: KeyPacket
  readonly subkey?: KeyPacket
  /** A user id or a user attribute packet. */
  readonly user?: { readonly type: number; readonly body: Uint8Array }
}

/** The octets in front of the trailer. `undefined` when a signature of this type is about something else. */
export function certifiedBytes(
  { type, version }: Pick<Signature, 'type' | 'version'>,
  { primary, subkey, user }: CertifiedThing,
): readonly Uint8Array[] | undefined {
  switch (type) {
    case SIGNATURE_TYPE.DIRECT_KEY:
    case SIGNATURE_TYPE.KEY_REVOCATION:
      return [hashedKey(primary)]
    case SIGNATURE_TYPE.SUBKEY_BINDING:
    case SIGNATURE_TYPE.PRIMARY_KEY_BINDING:
    case SIGNATURE_TYPE.SUBKEY_REVOCATION:
      return subkey === undefined ? undefined : [hashedKey(primary), hashedKey(subkey)]
    case SIGNATURE_TYPE.CERTIFICATION:
    case SIGNATURE_TYPE.PERSONA_CERTIFICATION:
    case SIGNATURE_TYPE.CASUAL_CERTIFICATION:
    case SIGNATURE_TYPE.POSITIVE_CERTIFICATION:
    case SIGNATURE_TYPE.CERTIFICATION_REVOCATION: {
      if (user === undefined) return undefined
      const prefix = Uint8Array.of(user.type === PACKET.USER_ID ? 0xb4 : 0xd1, ...uint32(user.body.length))
      return version === 3 ? [hashedKey(primary), user.body] : [hashedKey(primary), prefix, user.body]
    }
    default:
      return undefined
  }
}

/** Hashes a signature of a certificate. Throws Malformed when the hash is not one of ours. */
export function hashCertified(signature: Signature, thing: CertifiedThing): SignatureDigest | undefined {
  const bytes = certifiedBytes(signature, thing)
  if (bytes === undefined) return undefined
  const hasher = signatureHasher(signature)
  for (const piece of bytes) hasher.update(piece)
  return hasher.digest()
}

/** Lines as a signature of type 0x01 hashes them: they end with CRLF. Blanks at their ends count (RFC 9580 §5.2.1.2). */
export function canonicalText(out: Pick<ByteSink, 'write'>): ByteSink {
  let afterCr = false
  return {
    write(chunk) {
      let start = 0
      for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) {
        const hasCr = at === 0 ? afterCr : chunk[at - 1] === CR
        if (hasCr) continue
        if (at > start) out.write(chunk.subarray(start, at))
        out.write(CRLF)
        start = at + 1
      }
      if (start < chunk.length) out.write(chunk.subarray(start))
      if (chunk.length > 0) afterCr = chunk.at(-1) === CR
    },
    end() {
      // a last line without an end is hashed as it is
    },
  }
}

const CRLF = Uint8Array.of(CR, LF)
