import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Entity, NOW_MS, makeAuthority, makeCertificate } from '../../../../test/support/x509-maker.ts'
import { integer, oid, sequence } from '../asn1/der-writer.ts'
import { EXTENSION } from './extensions.ts'
import { searchPath } from './path-search.ts'
import { ANY_POLICY, type PolicyInput } from './policy-graph.ts'
import { writeExtension } from './write-certificate.ts'

const [A, B, C] = ['1.2.3.1', '1.2.3.2', '1.2.3.3'] as const

const policies = (...ids: string[]): Uint8Array =>
  writeExtension(EXTENSION.certificatePolicies, false, sequence(...ids.map((id) => sequence(oid(id)))))
const mappings = (...pairs: (readonly [string, string])[]): Uint8Array =>
  writeExtension(EXTENSION.policyMappings, true, sequence(...pairs.map(([from, to]) => sequence(oid(from), oid(to)))))
const skip = (tag: number, certificates: number): Uint8Array => Uint8Array.of(tag, 1, certificates)
const requireExplicit = (certificates: number): Uint8Array =>
  writeExtension(EXTENSION.policyConstraints, true, sequence(skip(0x80, certificates)))
const inhibitMapping = (certificates: number): Uint8Array =>
  writeExtension(EXTENSION.policyConstraints, true, sequence(skip(0x81, certificates)))
const inhibitAny = (certificates: number): Uint8Array =>
  writeExtension(EXTENSION.inhibitAnyPolicy, true, integer(certificates))

const root = makeAuthority({ name: 'root' })

/** One list of extensions a certificate, from below the anchor to the end entity. */
function isTrusted(path: readonly (readonly Uint8Array[])[], input: PolicyInput): boolean {
  const made: Entity[] = [root]
  for (const [i, extensions] of path.entries()) {
    const issuer = made.at(-1) ?? root
    const order = { name: `c${i}`, issuer, extensions }
    made.push(i === path.length - 1 ? makeCertificate(order) : makeAuthority(order))
  }
  const [leaf, ...others] = made.map(({ certificate }) => certificate).toReversed()
  assert.ok(leaf !== undefined)
  const request = { certificate: leaf, untrusted: others, anchors: [root.certificate], atMs: NOW_MS }
  return searchPath({ ...request, policies: input }).trusted
}

const accept = (...ids: string[]): PolicyInput => ({ acceptable: new Set(ids), requireExplicit: true })
const explicit: PolicyInput = { requireExplicit: true }

describe('certificate policies (RFC 5280 §6.1)', () => {
  const cases: readonly [path: readonly (readonly Uint8Array[])[], PolicyInput, trusted: boolean, why: string][] = [
    [[[], []], {}, true, 'none anywhere, none demanded'],
    [[[], []], explicit, false, 'none anywhere, one demanded'],
    [[[policies(A)], [policies(A)]], explicit, true, 'the same all along'],
    [[[policies(A)], [policies(B)]], explicit, false, 'two that differ'],
    [[[policies(A)], [policies(B)]], {}, true, 'two that differ, none demanded'],
    [[[policies(A)], [policies(A)]], accept(A), true, 'the one that is accepted'],
    [[[policies(A)], [policies(A)]], accept(B), false, 'one that is not accepted'],
    [[[policies(A, B)], [policies(B, C)]], accept(B), true, 'one in common'],
    [[[policies(ANY_POLICY)], [policies(A)]], accept(A), true, 'anyPolicy above'],
    [[[policies(A)], [policies(ANY_POLICY)]], accept(A), true, 'anyPolicy below'],
    [[[policies(ANY_POLICY)], [policies(ANY_POLICY)]], accept(C), true, 'anyPolicy all along'],
    [
      [[policies(ANY_POLICY)], [policies(A)]],
      { ...explicit, inhibitAny: true },
      false,
      'anyPolicy, which the caller forbids',
    ],
    [[[policies(A), inhibitAny(0)], [policies(ANY_POLICY)]], explicit, false, 'anyPolicy, which the authority forbids'],
    [
      [[policies(A), inhibitAny(1)], [policies(ANY_POLICY)], [policies(A)]],
      explicit,
      true,
      'forbidden only further down',
    ],
    [[[policies(A), requireExplicit(0)], [policies(B)]], {}, false, 'the authority demands one'],
    [[[policies(A), requireExplicit(1)], [policies(A)]], {}, true, 'the authority demands one, and there is one'],
    [[[policies(A), requireExplicit(5)], [policies(B)]], {}, true, 'the authority demands one further down only'],
    [[[policies(A), mappings([A, B])], [policies(B)]], accept(A), true, 'mapped: what the anchor calls A'],
    [[[policies(A), mappings([A, B])], [policies(B)]], accept(B), false, 'mapped: B is a word of the other domain'],
    [[[policies(A), mappings([A, B])], [policies(A)]], explicit, false, 'mapped: A no longer counts below'],
    [[[policies(A), mappings([A, B], [A, C])], [policies(C)]], accept(A), true, 'mapped to two'],
    [[[policies(ANY_POLICY), mappings([A, B])], [policies(B)]], accept(A), true, 'mapped out of anyPolicy'],
    [
      [[policies(A), mappings([A, B])], [policies(B)]],
      { ...explicit, inhibitMapping: true },
      false,
      'the caller forbids mapping',
    ],
    [
      [[policies(A), inhibitMapping(0)], [policies(A), mappings([A, B])], [policies(B)]],
      explicit,
      false,
      'an authority forbids it',
    ],
    [[[policies(A), mappings([A, ANY_POLICY])], [policies(A)]], {}, false, 'mapping to anyPolicy is never allowed'],
    [[[policies(A, A)], [policies(A)]], {}, false, 'a policy twice'],
    [[[policies(A), inhibitAny(300)], [policies(A)]], {}, true, 'a number of two octets'],
    [
      [[writeExtension(EXTENSION.policyConstraints, true, sequence(skip(0x82, 0)))], []],
      {},
      false,
      'broken policyConstraints',
    ],
    [[[writeExtension(EXTENSION.inhibitAnyPolicy, true, sequence())], []], {}, false, 'broken inhibitAnyPolicy'],
  ]
  for (const [path, input, trusted, why] of cases) test(why, () => assert.equal(isTrusted(path, input), trusted))
})

test('mappings that make a tree explode cost little (CVE-2023-0464)', () => {
  const ids = Array.from({ length: 40 }, (_, i) => `1.2.3.${i}`)
  const all = [
    policies(...ids),
    mappings(...ids.slice(0, 10).flatMap((from) => ids.slice(0, 10).map((to) => [from, to] as const))),
  ]
  const before = process.cpuUsage()
  assert.ok(isTrusted([all, all, all, all, all, all, all, [policies(...ids)]], explicit))
  assert.ok(process.cpuUsage(before).user < 1_000_000)
})
