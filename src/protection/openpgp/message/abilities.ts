/** What a certificate says that its owner's programs decrypt, in the words of the choices. */
import type { StatedAbilities, WrittenCipher } from '../../standard.ts'
import { CIPHERS_BEST_FIRST } from '../../strength.ts'
import { aeadById } from '../algorithms/aeads.ts'
import { cipherById } from '../algorithms/ciphers.ts'
import type { OpenpgpCertificate } from '../certificate/certificate.ts'
import { FEATURE, preferencesAt } from '../certificate/preferences.ts'

/** Modes and ciphers that we write: OCB is what everybody reads who reads version 2 of SEIPD at all (RFC 9580 §9.6). */
export const OUR_CIPHERS: readonly WrittenCipher[] = CIPHERS_BEST_FIRST.filter((name) => /-(?:cfb|ocb)$/.test(name))

/** The last word counts. Who says nothing of ciphers reads AES-128 (RFC 9580 §9.3), and most likely more. */
export function statedAbilities(certificate: OpenpgpCertificate): StatedAbilities {
  const { ciphers, aead, features } = preferencesAt(certificate, Infinity)
  const modes = (features & FEATURE.SEIPD2) === 0 ? [] : [...aead.map(aeadWord), 'aes-128-ocb']
  const words = [...modes, ...ciphers.map((id) => `${cipherById(id)?.name}-cfb`)]
  return { ciphers: OUR_CIPHERS.filter((name) => words.includes(name)), keyTransports: [], signatures: [] }
}

const aeadWord = ([cipher, mode]: readonly [number, number]): string =>
  `${cipherById(cipher)?.name}-${aeadById(mode)?.name}`
