/**
 * Certificate policies along a path (RFC 5280 §6.1.2–§6.1.5), kept as a graph of at most one node a policy and
 * certificate, as RFC 9618 has it: a tree can be made to grow exponentially.
 */
import { readSmallInteger } from '../asn1/der-reader.ts'
import { TAG, context } from '../asn1/tlv.ts'
import { type SmimeCertificate, findExtension } from './certificate.ts'
import { EXTENSION } from './extensions.ts'
import { Malformed, need } from '../../malformed.ts'
import { derNode, expectTag, oidOf } from '../asn1/der-fields.ts'

export const ANY_POLICY = '2.5.29.32.0'
export const POLICIES_MAX = 128 // in one certificate

/** The policy part of RFC 5280 §6.1.1; all missing means that any policy will do. */
export interface PolicyInput {
  /** user-initial-policy-set; missing is any-policy. */
  readonly acceptable?: ReadonlySet<string>
  readonly requireExplicit?: boolean
  readonly inhibitMapping?: boolean
  readonly inhibitAny?: boolean
}

interface PolicyNode {
  readonly expected: Set<string>
  /** Valid policies of the parent nodes, one level above. */
  readonly parents: Set<string>
}

type Level = Map<string, PolicyNode>

export interface PolicyState {
  readonly levels: Level[]
  explicit: number
  mapping: number
  inhibitAny: number
}

/** State before the first of `length` certificates (RFC 5280 §6.1.2). */
export function startPolicies(input: PolicyInput, length: number): PolicyState {
  return {
    levels: [new Map([[ANY_POLICY, { expected: new Set([ANY_POLICY]), parents: new Set<string>() }]])],
    explicit: input.requireExplicit === true ? 0 : length + 1,
    mapping: input.inhibitMapping === true ? 0 : length + 1,
    inhibitAny: input.inhibitAny === true ? 0 : length + 1,
  }
}

/** §6.1.3 (d)–(f) for one certificate; false when no valid policy is left where one is demanded. Throws Malformed. */
export function processPolicies(state: PolicyState, certificate: SmimeCertificate, last: boolean): boolean {
  const extension = findExtension(certificate, EXTENSION.certificatePolicies)
  const above = state.levels.at(-1) ?? new Map<string, PolicyNode>()
  const level: Level = new Map()
  if (extension !== undefined && above.size > 0) {
    const policies = readPolicies(extension.value)
    for (const policy of policies) if (policy !== ANY_POLICY) addPolicy(above, level, policy)
    const anyCounts = state.inhibitAny > 0 || (!last && certificate.selfIssued)
    if (policies.has(ANY_POLICY) && anyCounts) addExpected(above, level)
  }
  state.levels.push(level)
  return state.explicit > 0 || level.size > 0
}

function addPolicy(above: Level, level: Level, policy: string): void {
  const parents = [...above].filter(([, node]) => node.expected.has(policy)).map(([valid]) => valid)
  if (parents.length === 0 && above.has(ANY_POLICY)) parents.push(ANY_POLICY)
  if (parents.length > 0) level.set(policy, { expected: new Set([policy]), parents: new Set(parents) })
}

/** anyPolicy stands for everything that was expected and not named. */
function addExpected(above: Level, level: Level): void {
  const named = new Set(level.keys())
  for (const [valid, { expected }] of above) {
    for (const policy of expected) {
      if (named.has(policy)) continue
      const node = level.get(policy)
      if (node === undefined) level.set(policy, { expected: new Set([policy]), parents: new Set([valid]) })
      else node.parents.add(valid)
    }
  }
}

/** §6.1.4 (a), (b), (h)–(j): what this certificate says about those below it. Throws Malformed. */
export function preparePolicies(state: PolicyState, certificate: SmimeCertificate): void {
  const mappings = findExtension(certificate, EXTENSION.policyMappings)
  if (mappings !== undefined) applyMappings(state, readMappings(mappings.value))
  if (!certificate.selfIssued) {
    state.explicit = Math.max(0, state.explicit - 1)
    state.mapping = Math.max(0, state.mapping - 1)
    state.inhibitAny = Math.max(0, state.inhibitAny - 1)
  }
  const { requireExplicit, inhibitMapping } = readConstraints(certificate)
  state.explicit = Math.min(state.explicit, requireExplicit ?? Infinity)
  state.mapping = Math.min(state.mapping, inhibitMapping ?? Infinity)
  const inhibit = findExtension(certificate, EXTENSION.inhibitAnyPolicy)
  if (inhibit !== undefined) {
    const skip = readSmallInteger(derNode(inhibit.value, TAG.INTEGER, 'inhibitAnyPolicy').content)
    state.inhibitAny = Math.min(state.inhibitAny, need(skip, 'inhibitAnyPolicy is malformed'))
  }
}

function applyMappings(state: PolicyState, mappings: ReadonlyMap<string, ReadonlySet<string>>): void {
  const level = state.levels.at(-1) ?? new Map<string, PolicyNode>()
  for (const [issuerPolicy, subjectPolicies] of mappings) {
    const node = level.get(issuerPolicy)
    if (state.mapping === 0) {
      level.delete(issuerPolicy)
    } else if (node !== undefined) {
      level.set(issuerPolicy, { expected: new Set(subjectPolicies), parents: node.parents })
    } else if (level.has(ANY_POLICY)) {
      level.set(issuerPolicy, { expected: new Set(subjectPolicies), parents: new Set([ANY_POLICY]) })
    }
  }
}

/** §6.1.5 (a), (b), (g) after the last certificate: is there a policy left that the caller accepts? Throws Malformed. */
export function acceptsPolicies(state: PolicyState, certificate: SmimeCertificate, input: PolicyInput): boolean {
  if (!certificate.selfIssued) state.explicit = Math.max(0, state.explicit - 1)
  if (readConstraints(certificate).requireExplicit === 0) state.explicit = 0
  if (state.explicit > 0) return true
  const accepted = authorityPolicies(state.levels)
  const { acceptable } = input
  if (acceptable === undefined || acceptable.has(ANY_POLICY)) return accepted.size > 0
  return accepted.has(ANY_POLICY) ? acceptable.size > 0 : [...accepted].some((policy) => acceptable.has(policy))
}

/**
 * Policies as the anchor's domain names them: nodes directly below an anyPolicy node that still lead to the last
 * certificate, and anyPolicy itself if it got that far (RFC 5280 §6.1.5 (g) (iii)).
 */
function authorityPolicies(levels: readonly Level[]): ReadonlySet<string> {
  const found = new Set<string>()
  let alive = new Set(levels.at(-1)?.keys())
  if (alive.has(ANY_POLICY)) found.add(ANY_POLICY)
  for (const level of levels.toReversed()) {
    const above = new Set<string>()
    for (const policy of alive) {
      const parents = level.get(policy)?.parents ?? []
      for (const parent of parents) {
        above.add(parent)
        if (parent === ANY_POLICY && policy !== ANY_POLICY) found.add(policy)
      }
    }
    alive = above
  }
  return found
}

function readPolicies(value: Uint8Array): ReadonlySet<string> {
  const { children } = derNode(value, TAG.SEQUENCE, 'certificatePolicies')
  if (children.length > POLICIES_MAX) throw new Malformed('too many certificate policies')
  const policies = children.map((child) =>
    oidOf(expectTag(child, TAG.SEQUENCE, 'certificate policy').children[0], 'certificate policy'),
  )
  if (new Set(policies).size !== policies.length) throw new Malformed('a certificate policy occurs twice')
  return new Set(policies)
}

function readMappings(value: Uint8Array): ReadonlyMap<string, ReadonlySet<string>> {
  const { children } = derNode(value, TAG.SEQUENCE, 'policyMappings')
  if (children.length > POLICIES_MAX) throw new Malformed('too many policy mappings')
  const mappings = new Map<string, Set<string>>()
  for (const child of children) {
    const [from, to] = expectTag(child, TAG.SEQUENCE, 'policy mapping').children.map((id) =>
      oidOf(id, 'policy mapping'),
    )
    if (from === undefined || to === undefined || from === ANY_POLICY || to === ANY_POLICY)
      throw new Malformed('policy mapping is not allowed') // §6.1.4 (a)
    mappings.set(from, (mappings.get(from) ?? new Set()).add(to))
  }
  return mappings
}

function readConstraints(certificate: SmimeCertificate): { requireExplicit?: number; inhibitMapping?: number } {
  const extension = findExtension(certificate, EXTENSION.policyConstraints)
  if (extension === undefined) return {}
  const found: { requireExplicit?: number; inhibitMapping?: number } = {}
  for (const field of derNode(extension.value, TAG.SEQUENCE, 'policyConstraints').children) {
    const skip = need(readSmallInteger(field.content), 'policyConstraints is malformed')
    if (field.tag === context(0)) found.requireExplicit = skip
    else if (field.tag === context(1)) found.inhibitMapping = skip
    else throw new Malformed('policyConstraints is malformed')
  }
  return found
}
