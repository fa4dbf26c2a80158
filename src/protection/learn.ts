/** What a mail that verifies shows of its author's program, so that the next mail to them uses the best of it. */
import type { WrittenCipher, StandardName, StatedAbilities } from './standard.ts'
import { CIPHERS_BEST_FIRST } from './strength.ts'
import type { LayerReport, Summary } from './summary.ts'

export interface Learned {
  readonly standard: StandardName
  /** When the author signed, as the signature says: what was signed later counts. */
  readonly signedMs: number
  readonly states?: StatedAbilities
  /** The cipher under their signature. They write it, so they read it. */
  readonly cipher?: WrittenCipher
  /** Only of encrypted mail: whether the signature was outside. */
  readonly outerSignature?: boolean
  /** Only of mail that could be opened: whether its header was inside (RFC 9788). */
  readonly headerProtection?: boolean
}

/**
 * Only a valid signature with a time teaches anything: anybody could write the rest in the author's name, or send an old
 * mail again (RFC 8551 §2.7.1). Of several signatures the outermost speaks. `headerProtection`: missing when the mail
 * could not be opened.
 */
export function learnFrom(
  summary: Summary,
  layers: readonly LayerReport[],
  headerProtection: boolean | undefined,
): Learned | undefined {
  const signed = layers.find((layer) => layer.kind === 'signed')
  if (summary.signature !== 'valid' || signed?.signingTimeMs === undefined) return undefined
  const encrypted = layers.find((layer) => layer.kind === 'encrypted')
  const outer = encrypted !== undefined && layers.indexOf(signed) < layers.indexOf(encrypted)
  const cipher = outer ? CIPHERS_BEST_FIRST.find((name) => name === encrypted.algorithm) : undefined
  return {
    standard: signed.standard,
    signedMs: signed.signingTimeMs,
    ...(signed.states !== undefined && { states: signed.states }),
    ...(cipher !== undefined && { cipher }),
    ...(encrypted !== undefined && { outerSignature: outer }),
    ...(headerProtection !== undefined && { headerProtection }),
  }
}
