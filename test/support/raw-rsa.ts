/** RSA as arithmetic (RFC 8017 §5), so that a block is signed or encrypted as it is, and nobody looks at its padding. */
import { type KeyObject, constants, publicEncrypt } from 'node:crypto'

export const toNumber = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
export const toBytes = (value: bigint, lengthBytes: number): Buffer =>
  Buffer.from(value.toString(16).padStart(lengthBytes * 2, '0'), 'hex')

/** The signature of a block that is as long as the modulus. */
export function rawSign(key: KeyObject, block: Uint8Array): Buffer {
  const { n, d } = key.export({ format: 'jwk' })
  const modulus = toNumber(Buffer.from(String(n), 'base64url'))
  return toBytes(power(toNumber(block), toNumber(Buffer.from(String(d), 'base64url')), modulus), block.length)
}

/** The ciphertext of a block that is as long as the modulus. */
export const rawEncrypt = (key: KeyObject, block: Uint8Array): Buffer =>
  publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, block)

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (let square = base % modulus, rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}
