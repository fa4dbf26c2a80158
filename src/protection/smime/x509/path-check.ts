/**
 * The checks of RFC 5280 §6.1 on one complete path, signatures and revocation apart: those are done by path-search.ts
 * before and after.
 */
import { type SmimeCertificate, findExtension } from './certificate.ts'
import {
  ANY_EXTENDED_KEY_USAGE,
  EXTENSION,
  KEY_USAGE,
  readBasicConstraints,
  readExtendedKeyUsage,
} from './extensions.ts'
import { attempt } from '../../malformed.ts'
import { neglectedDuty } from './issuer-duties.ts'
import {
  CONSTRAINT_COMPARISONS_MAX,
  type NameConstraints,
  readNameConstraints,
  violatedConstraint,
} from './name-constraints.ts'
import { type PolicyInput, acceptsPolicies, preparePolicies, processPolicies, startPolicies } from './policy-graph.ts'

export interface PathRules {
  readonly atMs: number
  /** Lets SHA-1, DSA and RSA below 2048 bits pass: archives and test suites only. */
  readonly allowWeak?: boolean
  /** Also refuses the neglect that is common (issuer-duties.ts). */
  readonly strictIssuers?: boolean
  /** One of these extended key usages is needed in every certificate that lists any; missing: all are welcome. */
  readonly purposes?: readonly string[]
  readonly policies?: PolicyInput
}

export interface PathProblem {
  readonly verdict: 'untrusted' | 'expired' | 'revoked'
  readonly why: string
}

export const untrusted = (why: string): PathProblem => ({ verdict: 'untrusted', why })

/** What is wrong with a path from an anchor (first) to the certificate in question (last); time is looked at last. */
export function checkPath(path: readonly SmimeCertificate[], rules: PathRules): PathProblem | undefined {
  const checked = attempt(() => checkStructure(path, rules))
  if (!checked.ok) return untrusted(checked.error)
  return checked.value === undefined ? checkTimes(path, rules.atMs) : untrusted(checked.value)
}

function checkStructure(path: readonly SmimeCertificate[], rules: PathRules): string | undefined {
  const input = rules.policies ?? {}
  const policies = startPolicies(input, path.length - 1)
  const constraints: NameConstraints[] = []
  const budget = { comparisons: CONSTRAINT_COMPARISONS_MAX }
  let pathLength = path.length
  for (const [i, certificate] of path.entries()) {
    const isAnchor = i === 0
    const isLast = i === path.length - 1
    const problem =
      checkEvery(certificate, rules) ??
      (isLast ? checkLast(certificate) : checkAuthority(certificate, isAnchor)) ??
      neglectedDuty(certificate, isAnchor, rules.strictIssuers === true)
    if (problem !== undefined) return `${subjectOf(certificate)}: ${problem}`
    if (!isAnchor) {
      const violated =
        isLast || !certificate.selfIssued ? violatedConstraint(certificate, constraints, budget) : undefined
      if (violated !== undefined) return `${subjectOf(certificate)}: ${violated}`
      if (!processPolicies(policies, certificate, isLast)) return 'no certificate policy is left that is valid'
    }
    if (isLast)
      return isAnchor || acceptsPolicies(policies, certificate, input) ? undefined : 'no acceptable policy is left'
    if (!isAnchor) preparePolicies(policies, certificate)
    if (!isAnchor && !certificate.selfIssued && --pathLength < 0)
      return 'the path is longer than an authority in it allows'
    pathLength = Math.min(pathLength, pathLengthOf(certificate))
    const own = findExtension(certificate, EXTENSION.nameConstraints)
    if (own !== undefined) constraints.push(readNameConstraints(own.value))
  }
  return undefined
}

/** Critical extensions that this validation takes into account (RFC 5280 §4.2). */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  EXTENSION.keyUsage,
  EXTENSION.subjectAltName,
  EXTENSION.issuerAltName,
  EXTENSION.basicConstraints,
  EXTENSION.nameConstraints,
  EXTENSION.crlDistributionPoints,
  EXTENSION.certificatePolicies,
  EXTENSION.policyMappings,
  EXTENSION.policyConstraints,
  EXTENSION.extendedKeyUsage,
  EXTENSION.inhibitAnyPolicy,
])

function checkEvery(certificate: SmimeCertificate, rules: PathRules): string | undefined {
  const unknown = certificate.extensions.find(({ critical, oid }) => critical && !UNDERSTOOD.has(oid))
  if (unknown !== undefined) return `the critical extension ${unknown.oid} is not understood`
  if (rules.allowWeak !== true && isWeakKey(certificate.algorithm)) return `a key ${certificate.algorithm} is too weak`
  if (rules.purposes === undefined) return undefined
  const extension = findExtension(certificate, EXTENSION.extendedKeyUsage)
  if (extension === undefined) return undefined
  const allowed = readExtendedKeyUsage(extension.value)
  const fits = allowed.includes(ANY_EXTENDED_KEY_USAGE) || rules.purposes.some((purpose) => allowed.includes(purpose))
  return fits ? undefined : 'the extended key usage does not allow this use'
}

/** Only authorities may constrain names and certify (RFC 5280 §4.2.1.10, §4.2.1.9). */
function checkLast(certificate: SmimeCertificate): string | undefined {
  if (certificate.isAuthority) return undefined
  if (findExtension(certificate, EXTENSION.nameConstraints) !== undefined)
    return 'name constraints in the certificate of an end entity'
  return ((certificate.keyUsage ?? 0) & KEY_USAGE.keyCertSign) === 0
    ? undefined
    : 'the key may sign certificates but belongs to an end entity'
}

function checkAuthority(certificate: SmimeCertificate, isAnchor: boolean): string | undefined {
  // An anchor of version 1 has nowhere to say that it is an authority.
  if (!certificate.isAuthority && !(isAnchor && certificate.version === 1))
    return 'the issuing certificate is not an authority'
  if (certificate.subjectKey === '') return 'an authority without a name' // RFC 5280 §4.1.2.6
  const { keyUsage } = certificate
  return keyUsage === undefined || (keyUsage & KEY_USAGE.keyCertSign) !== 0
    ? undefined
    : 'the key of the issuer may not sign certificates'
}

function pathLengthOf(certificate: SmimeCertificate): number {
  const extension = findExtension(certificate, EXTENSION.basicConstraints)
  return extension === undefined ? Infinity : (readBasicConstraints(extension.value).pathLength ?? Infinity)
}

export const RSA_BITS_MIN = 2048

const STRONG_CURVES: ReadonlySet<string> = new Set([
  'ec-p256',
  'ec-p384',
  'ec-p521',
  'ec-secp256k1',
  'ec-brainpoolp256r1',
  'ec-brainpoolp384r1',
  'ec-brainpoolp512r1',
])

function isWeakKey(algorithm: string): boolean {
  if (algorithm.startsWith('dsa-')) return true
  if (algorithm.startsWith('rsa-')) return Number(algorithm.slice(algorithm.lastIndexOf('-') + 1)) < RSA_BITS_MIN
  return algorithm.startsWith('ec-') && !STRONG_CURVES.has(algorithm)
}

function checkTimes(path: readonly SmimeCertificate[], atMs: number): PathProblem | undefined {
  for (const certificate of path) {
    if (atMs < certificate.notBeforeMs)
      return { verdict: 'expired', why: `${subjectOf(certificate)}: the certificate is not valid yet` }
    if (atMs > certificate.notAfterMs + LAST_SECOND_MS)
      return { verdict: 'expired', why: `${subjectOf(certificate)}: the certificate has expired` }
  }
  return undefined
}

/** notAfter is inclusive and counts whole seconds (RFC 5280 §4.1.2.5). */
const LAST_SECOND_MS = 999

export const subjectOf = (certificate: SmimeCertificate): string =>
  certificate.subject || 'a certificate without a name'
