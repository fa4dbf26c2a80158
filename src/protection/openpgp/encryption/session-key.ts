/** The key of one message, and how it is written as octets for the public-key algorithms (RFC 9580 §5.1.3). */
import { concatBytes } from '../../../base/bytes.ts'
import { type CipherRow, cipherById } from '../algorithms/ciphers.ts'

export interface SessionKey {
  readonly key: Uint8Array
  /** Where the packet that carries the key says it: all but version 6, whose container does. */
  readonly cipher?: CipherRow
}

const CHECKSUM_BYTES = 2

/**
 * Version 3: cipher, key, checksum; version 6: key, checksum. `undefined` when they are none, which must look to the sender
 * like every other failure.
 */
export function readSessionKeyOctets(octets: Uint8Array, version: 3 | 6): SessionKey | undefined {
  const keyAt = version === 3 ? 1 : 0
  const checksumAt = octets.length - CHECKSUM_BYTES
  if (checksumAt <= keyAt) return undefined
  const key = octets.subarray(keyAt, checksumAt)
  const checksum = checksumOf(key)
  if (octets[checksumAt] !== checksum[0] || octets[checksumAt + 1] !== checksum[1]) return undefined
  return version === 3 ? withCipher(octets[0] ?? 0, key) : { key }
}

/** `undefined` for a cipher that is not ours, or whose keys are of another length. */
export function withCipher(cipherId: number, key: Uint8Array): SessionKey | undefined {
  const cipher = cipherById(cipherId)
  return cipher?.keyBytes === key.length ? { key, cipher } : undefined
}

export function writeSessionKeyOctets({ key, cipher }: SessionKey): Uint8Array {
  return concatBytes([...cipherOctet(cipher), key, checksumOf(key)])
}

/** In front of the key, where the container does not say it. */
export const cipherOctet = (cipher: CipherRow | undefined): readonly Uint8Array[] =>
  cipher === undefined ? [] : [Uint8Array.of(cipher.id)]

function checksumOf(key: Uint8Array): Uint8Array {
  const sum = key.reduce((total, octet) => total + octet, 0)
  return Uint8Array.of((sum >>> 8) & 0xff, sum & 0xff)
}
