/** Which of a recipient's keys a mail is encrypted to. */
import { standardNamed } from '../protection/jobs.ts'
import type { Certificate } from '../protection/standard.ts'
import type { RecipientKeys } from './settings.ts'

/** The best key of each kind, as the policy wants them; `certificates` can be encrypted to at `atMs`, and are best first. */
export function keysFor(
  wanted: RecipientKeys,
  certificates: readonly Certificate[],
  atMs: number,
): readonly Certificate[] {
  const quantum = certificates.find((each) => isPostQuantum(each, atMs))
  const classical = certificates.find((each) => !isPostQuantum(each, atMs))
  if (wanted === 'post-quantum' || (wanted === 'strongest' && quantum !== undefined)) return defined(quantum)
  return [...defined(quantum), ...defined(classical)]
}

/** Of two keys that work together, each with its name, one is enough. */
const isPostQuantum = (certificate: Certificate, atMs: number): boolean =>
  standardNamed(certificate.standard).encryptionAlgorithm(certificate, atMs)?.includes('ml-kem') === true

const defined = <T>(value: T | undefined): readonly T[] => (value === undefined ? [] : [value])
