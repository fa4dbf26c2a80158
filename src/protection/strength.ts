/** Which of the algorithms that we write is the stronger one; in the words of the choices, whatever the standard. */
import type { Abilities, WrittenCipher, WrittenKeyTransport, WrittenSignature } from './standard.ts'

/** The higher the stronger: what proves that nothing was changed before what does not, then the longer key. */
const CIPHER_STRENGTH: Readonly<Record<WrittenCipher, number>> = {
  'aes-256-gcm': 7,
  'chacha20-poly1305': 6,
  'aes-192-gcm': 5,
  'aes-128-gcm': 4,
  'aes-256-cbc': 3,
  'aes-192-cbc': 2,
  'aes-128-cbc': 1,
}

export const CIPHERS_BEST_FIRST: readonly WrittenCipher[] = (Object.keys(CIPHER_STRENGTH) as WrittenCipher[]).toSorted(
  (a, b) => CIPHER_STRENGTH[b] - CIPHER_STRENGTH[a],
)

/** What every program reads; for correspondents who have said nothing. */
export const DEFAULT_CIPHER: WrittenCipher = 'aes-256-cbc'

export const isAsStrong = (cipher: WrittenCipher, floor: WrittenCipher): boolean =>
  CIPHER_STRENGTH[cipher] >= CIPHER_STRENGTH[floor]

const KEY_TRANSPORTS: Readonly<Record<WrittenKeyTransport, true>> = { 'rsa-oaep': true, 'rsa-pkcs1': true }
const SIGNATURES: Readonly<Record<WrittenSignature, true>> = { 'rsa-pss': true, 'rsa-pkcs1': true }

/** Everything that we write, which we also read. */
export const OUR_ABILITIES: Abilities = {
  ciphers: CIPHERS_BEST_FIRST,
  keyTransports: Object.keys(KEY_TRANSPORTS) as WrittenKeyTransport[],
  signatures: Object.keys(SIGNATURES) as WrittenSignature[],
  outerSignature: true,
  headerProtection: true,
}

/** The words of `ours` among those that another, perhaps newer, program has written down. */
export function wordsAmong<Word extends string>(ours: readonly Word[], written: unknown): readonly Word[] {
  const list: readonly unknown[] = Array.isArray(written) ? written : []
  return list.flatMap((word) => ours.find((each) => each === word) ?? [])
}
