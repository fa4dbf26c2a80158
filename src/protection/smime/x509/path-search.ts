/**
 * Finds a path from a certificate to an anchor (RFC 5280 §6, RFC 4158): candidates are tried depth first, every
 * signature is checked once at most, and the work is bounded whatever a hostile message carries.
 */
import { equalBytes } from '../../../base/bytes.ts'
import type { ValidationWish, RevocationRule, TrustFinding } from '../../standard.ts'
import { readAlgorithm } from '../algorithms.ts'
import { TAG } from '../asn1/tlv.ts'
import type { SmimeCertificate } from './certificate.ts'
import { verifySignature } from '../check-signature.ts'
import type { Crl } from './crl.ts'
import { attempt } from '../../malformed.ts'
import { derNode } from '../asn1/der-fields.ts'
import type { OcspResponse } from './ocsp.ts'
import { type PathProblem, type PathRules, checkPath, subjectOf, untrusted } from './path-check.ts'
import { type StatusFinding, checkRevocation } from './revocation.ts'
import type { SignedStructure } from './status-context.ts'
import { issuerUrls } from './status-sources.ts'

export const PATH_CERTIFICATES_MAX = 10 // anchor and leaf included
export const SIGNATURE_CHECKS_MAX = 64
export const SEARCH_STEPS_MAX = 2000
export const CANDIDATES_MAX = 100 // certificates of one name; anchors come first, more are ignored

export interface PathRequest extends PathRules {
  readonly certificate: SmimeCertificate
  /** Certificates that may stand between; in any order, duplicates allowed. */
  readonly untrusted: readonly SmimeCertificate[]
  readonly anchors: readonly SmimeCertificate[]
  /** Those that came with the mail: an issuer of whom one is there must answer by it, or by one that was fetched. */
  readonly crls?: readonly Crl[]
  readonly fetchedCrls?: readonly Crl[]
  readonly ocspResponses?: readonly OcspResponse[]
  /** Missing: `prefer`. */
  readonly revocation?: RevocationRule
}

interface Search {
  readonly request: PathRequest
  readonly bySubject: ReadonlyMap<string, readonly SmimeCertificate[]>
  readonly anchors: ReadonlySet<string>
  /** Certificate and issuer → undefined when the signature is good, else why not. */
  readonly edges: Map<string, string | undefined>
  /** Shared with the searches for the issuers of CRLs. */
  readonly budget: { signatures: number; steps: number; readonly pending: Set<string> }
  problem: PathProblem
  problemRank: number
  /** What would tell more about the problem, or about the path that was found. */
  wishes: readonly ValidationWish[]
  unknown: string | undefined
  /** Where issuers can be had that nobody at hand is. */
  readonly issuerUrls: Set<string>
}

const ISSUER_URLS_MAX = 4

/** The first good path, or the most telling reason why there is none. */
export function searchPath(request: PathRequest): TrustFinding {
  return search(request, { signatures: SIGNATURE_CHECKS_MAX, steps: SEARCH_STEPS_MAX, pending: new Set() })
}

function search(request: PathRequest, budget: Search['budget']): TrustFinding {
  const state: Search = {
    request,
    bySubject: indexBySubject([...request.anchors, ...request.untrusted]),
    anchors: new Set(request.anchors.map(({ fingerprint }) => fingerprint)),
    edges: new Map(),
    budget,
    problem: untrusted('the certificate does not lead to a trust anchor'),
    problemRank: 0,
    wishes: [],
    unknown: undefined,
    issuerUrls: new Set(),
  }
  const path = extend(state, [request.certificate])
  const { problem, wishes, unknown, issuerUrls: urls } = state
  if (path === undefined && wishes.length === 0 && urls.size > 0)
    return { trusted: false, ...problem, wishes: [{ kind: 'issuer', urls: [...urls].slice(0, ISSUER_URLS_MAX) }] }
  const wishing = wishes.length === 0 ? {} : { wishes }
  if (path === undefined) return { trusted: false, ...problem, ...wishing }
  const found = { trusted: true, path: path.map(({ fingerprint }) => fingerprint), ...wishing } as const
  return unknown === undefined ? found : { ...found, unknown }
}

function indexBySubject(certificates: readonly SmimeCertificate[]): ReadonlyMap<string, readonly SmimeCertificate[]> {
  const unique = new Map(certificates.map((certificate) => [certificate.fingerprint, certificate]))
  return Map.groupBy(unique.values(), ({ subjectKey }) => subjectKey)
}

/** `chain` leads from the certificate in question (first) upwards. Returns it, complete, when all is well. */
function extend(state: Search, chain: readonly SmimeCertificate[]): readonly SmimeCertificate[] | undefined {
  const { request, budget } = state
  const current = chain.at(-1)
  if (current === undefined || --budget.steps < 0) return undefined
  if (state.anchors.has(current.fingerprint)) {
    const { problem, wishes, unknown } = judgeComplete(state, chain.toReversed())
    if (problem === undefined) {
      Object.assign(state, { wishes, unknown })
      return chain
    }
    if (note(state, problem, COMPLETE_RANK[problem.verdict])) state.wishes = wishes
  }
  if (chain.length >= PATH_CERTIFICATES_MAX) return undefined
  let hasIssuer = false
  for (const issuer of candidatesFor(state, current, request.atMs)) {
    if (chain.some((earlier) => earlier.subjectKey === issuer.subjectKey && equalBytes(earlier.spki, issuer.spki)))
      continue
    const broken = checkEdge(state, current, issuer)
    if (broken !== undefined) {
      note(state, untrusted(`${subjectOf(current)}: ${broken}`), 1)
      continue
    }
    hasIssuer = true
    const path = extend(state, [...chain, issuer])
    if (path !== undefined) return path
  }
  if (!hasIssuer && !current.selfIssued) for (const url of issuerUrls(current)) state.issuerUrls.add(url)
  return undefined
}

const COMPLETE_RANK = { untrusted: 2, expired: 3, revoked: 4 } as const

/** True when it tells more than what was noted before. */
function note(state: Search, problem: PathProblem, rank: number): boolean {
  if (rank <= state.problemRank) return false
  state.problem = problem
  state.problemRank = rank
  return true
}

/** Certificates whose subject is the issuer's name; the likely ones first (RFC 4158). */
function candidatesFor(state: Search, current: SmimeCertificate, atMs: number): readonly SmimeCertificate[] {
  const score = (issuer: SmimeCertificate): number => {
    const keyMatches =
      current.authorityKeyId !== undefined &&
      issuer.subjectKeyId !== undefined &&
      equalBytes(current.authorityKeyId, issuer.subjectKeyId)
    const timely = issuer.notBeforeMs <= atMs && atMs <= issuer.notAfterMs
    return (keyMatches ? 4 : 0) + (timely ? 2 : 0) + (state.anchors.has(issuer.fingerprint) ? 1 : 0)
  }
  return (state.bySubject.get(current.issuerKey) ?? []).slice(0, CANDIDATES_MAX).toSorted((a, b) => score(b) - score(a))
}

/** Why `issuer` cannot have issued `certificate`; `undefined` when it has. */
function checkEdge(state: Search, certificate: SmimeCertificate, issuer: SmimeCertificate): string | undefined {
  if (!issuer.isAuthority && !state.anchors.has(issuer.fingerprint))
    return 'the issuing certificate is not an authority'
  const edge = `${certificate.fingerprint} ${issuer.fingerprint}${state.request.allowWeak === true ? ' weak' : ''}`
  if (verifiedEdges.has(edge)) return undefined
  if (state.edges.has(edge)) return state.edges.get(edge)
  const broken = checkSignature(state, issuer, certificate)
  state.edges.set(edge, broken)
  if (broken === undefined) remember(edge)
  return broken
}

const VERIFIED_EDGES_MAX = 5000

/** Good signatures of one certificate by another, whoever asked: bytes by their digests, so an entry is true for ever. */
const verifiedEdges = new Set<string>()

function remember(edge: string): void {
  if (verifiedEdges.size >= VERIFIED_EDGES_MAX) verifiedEdges.clear()
  verifiedEdges.add(edge)
}

function checkSignature(state: Search, signer: SmimeCertificate, signed: SignedStructure): string | undefined {
  if (--state.budget.signatures < 0) return 'too many signatures to check'
  const algorithm = attempt(() => derNode(signed.signatureAlgorithm, TAG.SEQUENCE, 'signature algorithm'))
  if (!algorithm.ok) return algorithm.error
  const id = readAlgorithm(algorithm.value)
  if (!id.ok) return id.error
  const verified = verifySignature({
    algorithm: id.value,
    key: signer.publicKey,
    message: signed.tbs,
    signature: signed.signature,
    allowWeak: state.request.allowWeak === true,
  })
  return verified.ok ? undefined : verified.error
}

/** What became of a complete path, what is not known about it, and what would tell. */
interface PathFinding {
  readonly problem?: PathProblem
  readonly unknown?: string
  readonly wishes: readonly ValidationWish[]
}

/** A path from the anchor (first) whose signatures are good: are its contents, and is nothing in it revoked? */
function judgeComplete(state: Search, path: readonly SmimeCertificate[]): PathFinding {
  const problem = checkPath(path, state.request)
  if (problem?.verdict === 'untrusted') return { problem, wishes: [] }
  const statuses = checkStatuses(state, path)
  if (problem === undefined || statuses.problem?.verdict === 'revoked') return statuses
  return { problem, wishes: [] }
}

function checkStatuses(state: Search, path: readonly SmimeCertificate[]): PathFinding {
  const { request, budget } = state
  const { crls: carriedCrls = [], fetchedCrls = [], ocspResponses = [], revocation: rule = 'prefer', atMs } = request
  const anchor = path[0]
  if (anchor === undefined) return { wishes: [] }
  const findings: StatusFinding[] = []
  for (const [i, certificate] of path.entries()) {
    const issuer = path[i - 1]
    if (issuer === undefined) continue
    const finding = checkRevocation(certificate, issuer, {
      crls: [...carriedCrls, ...fetchedCrls],
      carriedCrls,
      ocspResponses,
      atMs,
      rule,
      signersNamed: (name) => state.bySubject.get(name) ?? [],
      isSignedBy: (signed, signer) => isSignedBy(state, signed, signer),
      // A CRL issuer may have no other list than its own (PKITS 4.14.30); its path has just been checked.
      isTrustedSigner: (signer) =>
        signer.fingerprint === certificate.fingerprint || isTrustedSigner(request, budget, signer, anchor),
    })
    if (finding.problem?.verdict === 'revoked') return { problem: finding.problem, wishes: [] }
    findings.push(finding)
  }
  const problem = findings.find((finding) => finding.problem !== undefined)?.problem
  const unknown = findings.find((finding) => finding.unknown !== undefined)?.unknown
  return {
    wishes: findings.flatMap(({ wish }) => wish ?? []),
    ...(problem === undefined ? {} : { problem }),
    ...(unknown === undefined ? {} : { unknown }),
  }
}

/** By the bytes that are kept: a list of a million entries is hashed once for each key that could have signed it. */
const signersOf = new WeakMap<Uint8Array, Map<string, boolean>>()

function isSignedBy(state: Search, signed: SignedStructure, signer: SmimeCertificate): boolean {
  const known = signersOf.get(signed.tbs) ?? new Map<string, boolean>()
  signersOf.set(signed.tbs, known)
  const key = `${signer.keyFingerprint}${state.request.allowWeak === true ? ' weak' : ''}`
  const before = known.get(key)
  if (before !== undefined) return before
  if (state.budget.signatures <= 0) return false // and nothing is remembered
  const isGood = checkSignature(state, signer, signed) === undefined
  known.set(key, isGood)
  return isGood
}

/** The issuer of a CRL needs a path to the same anchor (RFC 5280 §6.3.3 (f)), for any purpose and policy. */
function isTrustedSigner(
  request: PathRequest,
  budget: Search['budget'],
  signer: SmimeCertificate,
  anchor: SmimeCertificate,
): boolean {
  if (signer.fingerprint === anchor.fingerprint) return true
  if (budget.pending.has(signer.fingerprint)) return false // its status would depend on itself
  const { purposes: _purposes, policies: _policies, ...rest } = request
  budget.pending.add(signer.fingerprint)
  const found = search({ ...rest, certificate: signer, anchors: [anchor] }, budget)
  budget.pending.delete(signer.fingerprint)
  return found.trusted
}
