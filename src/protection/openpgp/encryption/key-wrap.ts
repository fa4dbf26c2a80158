/** AES key wrap (RFC 3394). */
import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv } from 'node:crypto'

const IV = Buffer.alloc(8, 0xa6) // RFC 3394 §2.2.3.1

const nameOf = (wrappingKey: Uint8Array): string => `id-aes${wrappingKey.length * 8}-wrap`

/** `octets` must be whole blocks of eight. */
export function wrap(wrappingKey: Uint8Array, octets: Uint8Array): Uint8Array {
  const cipher = createCipheriv(nameOf(wrappingKey), wrappingKey, IV)
  return Buffer.concat([cipher.update(octets), cipher.final()])
}

/** Throws when the wrapping key is not the right one, or what it wraps was changed. */
export function unwrap(wrappingKey: Uint8Array, wrapped: Uint8Array): Uint8Array {
  const decipher = createDecipheriv(nameOf(wrappingKey), wrappingKey, IV)
  return Buffer.concat([decipher.update(wrapped), decipher.final()])
}
