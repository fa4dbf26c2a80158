/**
 * RSAES-OAEP decryption (RFC 8017 §7.1.2) for messages whose label is hashed with one digest and whose mask is made with
 * another, as Java's default has it: node:crypto knows one digest for both.
 */
import { Buffer } from 'node:buffer'
import { type KeyObject, constants, hash, privateDecrypt, timingSafeEqual } from 'node:crypto'
import type { Digest } from '../algorithms.ts'

export interface OaepDigests {
  readonly digest: Digest
  readonly maskDigest: Digest
  readonly label: Uint8Array
}

/** The content, or `undefined` without saying what was wrong. Looks at the whole block whatever it holds (Manger 2001). */
export function decryptOaep(
  { digest, maskDigest, label }: OaepDigests,
  key: KeyObject,
  ciphertext: Uint8Array,
): Uint8Array | undefined {
  const block = privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, ciphertext)
  const seedEnd = 1 + digest.lengthBytes
  if (block.length < seedEnd + digest.lengthBytes + 1) return undefined // the key is too small for the digest
  const [maskedSeed, maskedData] = [block.subarray(1, seedEnd), block.subarray(seedEnd)]
  const seed = xor(maskedSeed, mask(maskDigest, maskedData, maskedSeed.length))
  const data = xor(maskedData, mask(maskDigest, seed, maskedData.length))
  const labelFits = timingSafeEqual(data.subarray(0, digest.lengthBytes), hash(digest.name, label, 'buffer'))
  let separatorAt = 0
  let wrong = block[0] ?? 1
  for (let i = digest.lengthBytes; i < data.length; i++) {
    const octet = data[i] ?? 0
    if (separatorAt === 0 && octet === 1) separatorAt = i
    wrong |= separatorAt === 0 ? octet : 0
  }
  return wrong === 0 && labelFits && separatorAt > 0 ? data.subarray(separatorAt + 1) : undefined
}

/** MGF1 (RFC 8017 appendix B.2.1). */
function mask(digest: Digest, seed: Uint8Array, lengthBytes: number): Buffer {
  const blocks: Buffer[] = []
  const counter = Buffer.alloc(4)
  for (let count = 0; count * digest.lengthBytes < lengthBytes; count++) {
    counter.writeUInt32BE(count)
    blocks.push(hash(digest.name, Buffer.concat([seed, counter]), 'buffer'))
  }
  return Buffer.concat(blocks).subarray(0, lengthBytes)
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((octet, i) => octet ^ (b[i] ?? 0)))
}
