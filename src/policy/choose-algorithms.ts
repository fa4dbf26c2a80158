/** The strongest algorithms that all who share a copy read and that we write. Facts in, choice out; no I/O. */
import type {
  Abilities,
  WrittenCipher,
  EncryptionChoice,
  ProtectionStandard,
  SigningChoice,
} from '../protection/standard.ts'
import { CIPHERS_BEST_FIRST, isAsStrong } from '../protection/strength.ts'
import type { OutboundPolicy } from './settings.ts'

/** Who reads a copy; `undefined`: nothing is known of their program. */
export type Readers = readonly (Abilities | undefined)[]

/** The standard that the copy is in. */
type Written = Pick<ProtectionStandard, 'abilities' | 'commonCipher'>

type AlgorithmPolicy = Pick<OutboundPolicy, 'encryption' | 'signing' | 'weakestCipher'>

/**
 * What the policy leaves open is what all of them read; `undefined` when nothing that is strong enough is. A cipher that is
 * set counts in the standards that have it. Stating one cipher and being able to read another is no contradiction (RFC 8551
 * §2.5.2), so who states none that we write is taken for a stranger, and never gets a weaker one than strangers get.
 */
export function chooseEncryption(
  policy: AlgorithmPolicy,
  standard: Written,
  readers: Readers,
): EncryptionChoice | undefined {
  const { ciphers } = standard.abilities
  const ours = CIPHERS_BEST_FIRST.filter((each) => ciphers.includes(each))
  const cipher =
    ours.find((each) => each === policy.encryption.cipher) ??
    ours.find((each) => readers.every((reader) => reads(reader, each, standard)))
  if (cipher === undefined || !isAsStrong(cipher, policy.weakestCipher)) return undefined
  const oaep = readers.length > 0 && readers.every((reader) => reader?.keyTransports.includes('rsa-oaep') === true)
  return { ...(oaep && { keyTransport: 'rsa-oaep' as const }), ...policy.encryption, cipher }
}

/** PSS where all verify it. The digest is the one that suits the key, whatever longer one somebody may know. */
export function chooseSigning(policy: AlgorithmPolicy, readers: Readers): SigningChoice {
  const pss = readers.length > 0 && readers.every((reader) => reader?.signatures.includes('rsa-pss') === true)
  return { ...(pss && { signature: 'rsa-pss' as const }), ...policy.signing }
}

function reads(reader: Abilities | undefined, cipher: WrittenCipher, { commonCipher }: Written): boolean {
  return reader === undefined || reader.ciphers.length === 0 ? cipher === commonCipher : reader.ciphers.includes(cipher)
}
