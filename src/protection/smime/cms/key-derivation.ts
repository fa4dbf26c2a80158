/** Makes a wrapping key of a shared secret: the KDF of ANSI X9.63 (SEC 1 §3.6.1), or HKDF (RFC 5869). */
import { Buffer } from 'node:buffer'
import { createHash, hkdfSync } from 'node:crypto'
import { concatBytes } from '../../../base/bytes.ts'
import type { DigestName } from '../algorithms.ts'

export interface KeyDerivation {
  readonly kind: 'x963' | 'hkdf'
  readonly digest: DigestName
}

export interface DerivationInput {
  readonly secret: Uint8Array
  /** What the key is for; both sides make it of what stands in the message. */
  readonly info: Uint8Array
  /** HKDF only; without it as many zeros as the digest has octets. */
  readonly salt?: Uint8Array | undefined
  readonly keyBytes: number
}

export function deriveKey(
  { kind, digest }: KeyDerivation,
  { secret, info, salt, keyBytes }: DerivationInput,
): Uint8Array {
  switch (kind) {
    case 'x963':
      return deriveX963(digest, secret, info, keyBytes)
    case 'hkdf':
      return new Uint8Array(hkdfSync(digest, secret, salt ?? NO_SALT, info, keyBytes))
  }
}

const NO_SALT = new Uint8Array()

function deriveX963(digest: DigestName, secret: Uint8Array, info: Uint8Array, keyBytes: number): Uint8Array {
  const blocks: Uint8Array[] = []
  const counter = Buffer.alloc(4)
  for (let count = 1, have = 0; have < keyBytes; count++) {
    counter.writeUInt32BE(count)
    const block = createHash(digest).update(secret).update(counter).update(info).digest()
    blocks.push(block)
    have += block.length
  }
  return concatBytes(blocks).subarray(0, keyBytes)
}
