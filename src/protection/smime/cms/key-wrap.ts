/** Key wrapping: AES key wrap (RFC 3394, RFC 3565), and for reading 3DES key wrap (RFC 3370 §4.3.1, RFC 3217). */
import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { type Result, fail, ok } from '../../../base/result.ts'
import type { Weakness } from '../../weakness.ts'
import { type AlgorithmId, isAbsentOrNull } from '../algorithms.ts'
import { oid, sequence } from '../asn1/der-writer.ts'

export interface KeyWrap {
  readonly oid: string
  /** For reports. */
  readonly name: string
  /** As node:crypto has it. */
  readonly cipher: string
  /** Of the wrapping key. */
  readonly keyBytes: number
  readonly weak?: Weakness
}

export const KEY_WRAPS: readonly KeyWrap[] = [
  { oid: '2.16.840.1.101.3.4.1.5', name: 'aes-128-wrap', cipher: 'id-aes128-wrap', keyBytes: 16 },
  { oid: '2.16.840.1.101.3.4.1.25', name: 'aes-192-wrap', cipher: 'id-aes192-wrap', keyBytes: 24 },
  { oid: '2.16.840.1.101.3.4.1.45', name: 'aes-256-wrap', cipher: 'id-aes256-wrap', keyBytes: 32 },
  {
    oid: '1.2.840.113549.1.9.16.3.6',
    name: '3des-wrap',
    cipher: 'des3-wrap',
    keyBytes: 24,
    weak: { since: 2019, source: 'RFC 8551 appendix B.3' },
  },
]

const AES_IV = Buffer.alloc(8, 0xa6) // RFC 3394 §2.2.3.1
const ivOf = (wrap: KeyWrap): Uint8Array | null => (wrap.weak === undefined ? AES_IV : null)

export function readKeyWrap(algorithm: AlgorithmId): Result<KeyWrap> {
  const wrap = KEY_WRAPS.find((row) => row.oid === algorithm.oid)
  if (wrap === undefined) return fail(`unknown key wrap algorithm ${algorithm.oid}`)
  return isAbsentOrNull(algorithm) ? ok(wrap) : fail(`unexpected parameters of ${wrap.name}`)
}

/** The AES key wrap whose own key is as long as the content key: neither is the weaker one. */
export function keyWrapFor(contentKeyBytes: number): KeyWrap {
  const wrap = KEY_WRAPS.find((row) => row.keyBytes === contentKeyBytes && row.weak === undefined)
  if (wrap === undefined) throw new TypeError(`no key wrap for a key of ${contentKeyBytes} octets`)
  return wrap
}

/** DER of the KeyWrapAlgorithm: AES key wrap has no parameters (RFC 3565). */
export const keyWrapDer = (wrap: KeyWrap): Uint8Array => sequence(oid(wrap.oid))

export function wrapKey(wrap: KeyWrap, wrappingKey: Uint8Array, contentKey: Uint8Array): Uint8Array {
  const cipher = createCipheriv(wrap.cipher, wrappingKey, ivOf(wrap))
  return Buffer.concat([cipher.update(contentKey), cipher.final()])
}

/** Throws when the wrapping key is not the right one, or what it wraps was changed. */
export function unwrapKey(wrap: KeyWrap, wrappingKey: Uint8Array, encryptedKey: Uint8Array): Uint8Array {
  const decipher = createDecipheriv(wrap.cipher, wrappingKey, ivOf(wrap))
  return Buffer.concat([decipher.update(encryptedKey), decipher.final()])
}
