/** Which of the algorithms that we write is the stronger one; in the words of the choices, whatever the standard. */
import type { WrittenCipher, WrittenKeyTransport, WrittenSignature } from './standard.ts'

/**
 * The higher the stronger: what proves that nothing was changed before what does not, then the longer key. The digest in
 * OpenPGP's CFB proves it only to those who look, so it is little more than CBC of the same length.
 */
const CIPHER_STRENGTH: Readonly<Record<WrittenCipher, number>> = {
  'aes-256-gcm': 10,
  'aes-256-ocb': 10,
  'chacha20-poly1305': 9,
  'aes-192-gcm': 8,
  'aes-192-ocb': 8,
  'aes-128-gcm': 7,
  'aes-128-ocb': 7,
  'aes-256-cfb': 6,
  'aes-256-cbc': 5,
  'aes-192-cfb': 4,
  'aes-192-cbc': 3,
  'aes-128-cfb': 2,
  'aes-128-cbc': 1,
}

export const CIPHERS_BEST_FIRST: readonly WrittenCipher[] = (Object.keys(CIPHER_STRENGTH) as WrittenCipher[]).toSorted(
  (a, b) => CIPHER_STRENGTH[b] - CIPHER_STRENGTH[a],
)

export const isAsStrong = (cipher: WrittenCipher, floor: WrittenCipher): boolean =>
  CIPHER_STRENGTH[cipher] >= CIPHER_STRENGTH[floor]

export const KEY_TRANSPORTS = ['rsa-oaep', 'rsa-pkcs1'] as const satisfies WrittenKeyTransport[]
export const SIGNATURES = ['rsa-pss', 'rsa-pkcs1'] as const satisfies WrittenSignature[]

/** The words of `ours` among those that another, perhaps newer, program has written down. */
export function wordsAmong<Word extends string>(ours: readonly Word[], written: unknown): readonly Word[] {
  const list: readonly unknown[] = Array.isArray(written) ? written : []
  return list.flatMap((word) => ours.find((each) => each === word) ?? [])
}
