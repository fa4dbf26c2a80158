/** Whether a signature counts: does it hold, is its certificate the author's, may the certificate be believed? */
import { type Address, sameAddress } from '../message/address.ts'
import type { Author } from './author.ts'
import type {
  Certificate,
  ValidationWish,
  KeyRing,
  ProtectionStandard,
  SignatureVerdict,
  SignerFinding,
} from './standard.ts'
import { type LayerReport, worst } from './summary.ts'

export interface Judging {
  readonly ring: KeyRing
  readonly atMs: number
  readonly author: Author
}

export interface JudgedSigner {
  readonly finding: SignerFinding
  readonly verdict: SignatureVerdict
  readonly signer: string | null
  readonly why?: string
  /** What could be fetched to judge better. */
  readonly wishes?: readonly ValidationWish[]
}

/** Cryptography first, then whose key it is, then whether that key may be believed. */
export function judgeSigner(
  standard: ProtectionStandard,
  finding: SignerFinding,
  { ring, atMs, author }: Judging,
): JudgedSigner {
  const { certificate } = finding
  const why = finding.why ?? 'the signature does not hold'
  if (certificate === undefined)
    return { finding, verdict: finding.changed === true ? 'invalid' : 'unknown-key', signer: null, why }
  const speaksFor = 'address' in author ? speaksAs(certificate, author.address, ring) : undefined
  const signer = speaksFor ?? certificate.addresses[0] ?? null
  if (!finding.intact && finding.weak !== true) return { finding, verdict: 'invalid', signer, why }
  if ('problem' in author) return { finding, verdict: 'mismatch', signer, why: author.problem }
  if (speaksFor === undefined && signer !== null)
    return { finding, verdict: 'mismatch', signer, why: `signed by ${signer}, not by ${author.address}` }
  if (!finding.intact) return { finding, verdict: 'untrusted', signer, why }
  // of several keys, whoever judges the one that signed knows what it was for at its time
  if (!certificate.canSign && finding.signedBy === undefined)
    return { finding, verdict: 'untrusted', signer, why: "the signer's certificate is not made for signing mail" }
  return { finding, signer, ...believe(standard, certificate, { finding, signer }, ring, atMs) }
}

/** May the key of a signature that holds be believed? Asked again when more is known. */
export function believe(
  standard: ProtectionStandard,
  certificate: Certificate,
  { finding, signer }: Pick<JudgedSigner, 'finding' | 'signer'>,
  ring: KeyRing,
  atMs: number,
): Pick<JudgedSigner, 'verdict' | 'why' | 'wishes'> {
  const trust = standard.judge(certificate, finding, ring, atMs)
  const wishes = trust.wishes === undefined ? {} : { wishes: trust.wishes }
  if (!trust.trusted) return { verdict: trust.verdict, why: trust.why, ...wishes }
  if (signer === null) return { verdict: 'untrusted', why: "the signer's certificate names no address", ...wishes }
  return { verdict: 'valid', ...(trust.unknown === undefined ? {} : { why: trust.unknown }), ...wishes }
}

/**
 * The author's address, when the certificate names it. One that names no address is not wrong (RFC 8550 §3): it speaks
 * for the author when it is known, because 222 holds it for that address.
 */
function speaksAs(certificate: Certificate, author: Address, ring: KeyRing): Address | undefined {
  if (certificate.addresses.length > 0) return certificate.addresses.find((each) => sameAddress(each, author))
  return ring.known.some((each) => each.certificate.fingerprint === certificate.fingerprint) ? author : undefined
}

/** Certificates that are looked at for one; a sender has one for encryption, or a few. */
const FOR_ANSWERS_MAX = 4

/**
 * With what to encrypt the answer to somebody whose key only signs: certificates for encryption that came with a valid
 * signature, name the same author and are believed as they are, without anything that could still be fetched about them.
 */
export function certificatesForAnswers(
  standard: ProtectionStandard,
  { finding, verdict }: JudgedSigner,
  { ring, atMs, author }: Judging,
): readonly Certificate[] {
  if (verdict !== 'valid' || 'problem' in author) return []
  return finding.carried
    .filter(({ canEncrypt, canSign }) => canEncrypt && !canSign)
    .filter(({ addresses }) => addresses.some((each) => sameAddress(each, author.address)))
    .slice(0, FOR_ANSWERS_MAX)
    .filter((each) => {
      const trust = standard.judge(each, finding, ring, atMs)
      return trust.trusted && trust.wishes === undefined
    })
}

/**
 * Several signers (RFC 5652 §5.1): one wrong signature spoils the layer, for somebody has changed something; otherwise one
 * good one is enough. One by an algorithm that we do not know takes nothing away from a good one beside it, so that a
 * sender can sign with an old and a new key at once; alone it is worth as little as a wrong one (decision 0022).
 */
export function layerOf(
  judged: readonly JudgedSigner[],
): Pick<LayerReport, 'algorithm' | 'signer' | 'why' | 'signingTimeMs' | 'states'> & { verdict: SignatureVerdict } {
  const isValid = judged.some((each) => each.verdict === 'valid')
  const counted = isValid ? judged.filter(({ finding }) => finding.unsupported !== true) : judged
  const verdicts = counted.map((each) => each.verdict)
  const verdict =
    verdicts.length === 0
      ? 'invalid'
      : verdicts.includes('invalid')
        ? 'invalid'
        : verdicts.includes('valid')
          ? 'valid'
          : worst(verdicts)
  const speaking = counted.find((each) => each.verdict === verdict)
  if (speaking === undefined) return { verdict, algorithm: null, signer: null, why: 'nobody signed' }
  const { finding, signer, why } = speaking
  return {
    verdict,
    algorithm: finding.algorithm,
    signer,
    ...(finding.signingTimeMs === undefined ? {} : { signingTimeMs: finding.signingTimeMs }),
    ...(finding.states === undefined ? {} : { states: finding.states }),
    ...(why === undefined ? {} : { why }),
  }
}
