/** Which of a recipient's keys a mail is encrypted to. */
import type { Certificate } from '../protection/standard.ts'
import type { RecipientKeys } from './settings.ts'

/** The best key of each kind, as the policy wants them; `certificates` are best first. */
export function keysFor(wanted: RecipientKeys, certificates: readonly Certificate[]): readonly Certificate[] {
  const quantum = certificates.find(isPostQuantum)
  const classical = certificates.find((each) => !isPostQuantum(each))
  if (wanted === 'post-quantum' || (wanted === 'strongest' && quantum !== undefined)) return defined(quantum)
  return [...defined(quantum), ...defined(classical)]
}

/** Of two keys that work together, each with its name, one is enough. */
const isPostQuantum = ({ algorithm }: Certificate): boolean => algorithm.includes('ml-kem')
const defined = <T>(value: T | undefined): readonly T[] => (value === undefined ? [] : [value])
