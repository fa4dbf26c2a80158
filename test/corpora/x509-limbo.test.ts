/**
 * x509-limbo (C2SP): path validation cases made for TLS. Host name matching and the web's own rules are not ours; each
 * case that we answer otherwise is named here with the reason.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { type SmimeCertificate, parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { parseCrl } from '../../src/protection/smime/x509/crl.ts'
import { searchPath } from '../../src/protection/smime/x509/path-search.ts'
import type { TrustFinding } from '../../src/protection/standard.ts'

const FILE = join(import.meta.dirname, '../../../shared/corpora/x509-limbo/limbo.json')
const DURATION_MAX_MS = 500 // a case; the bombs among them too

const PURPOSES = { SERVER: '1.3.6.1.5.5.7.3.1', CLIENT: '1.3.6.1.5.5.7.3.2' } as const

interface Case {
  readonly id: string
  readonly validation_kind: keyof typeof PURPOSES
  readonly trusted_certs: readonly string[]
  readonly untrusted_intermediates: readonly string[]
  readonly peer_certificate: string
  readonly validation_time: string | null
  readonly expected_result: 'SUCCESS' | 'FAILURE'
  readonly max_chain_depth: number | null
  readonly crls: readonly string[]
}

/**
 * Why we trust what a case wants refused, even with `strictIssuers`, and which cases those are. None is of RFC 5280 but one
 * of a host name.
 */
const TRUSTED_NEVERTHELESS: Readonly<Record<string, readonly string[]>> = {
  'host names are not compared here; mail has addresses, and they are compared with From': [
    'rfc5280::ca-as-leaf-wrong-san',
    'webpki::cn::ipv4-hex-mismatch',
    'webpki::cn::ipv4-leading-zeros-mismatch',
    'webpki::cn::ipv6-uppercase-mismatch',
    'webpki::cn::ipv6-uncompressed-mismatch',
    'webpki::cn::ipv6-non-rfc5952-mismatch',
    'webpki::cn::punycode-not-in-san',
    'webpki::cn::utf8-vs-punycode-mismatch',
    'webpki::cn::not-in-san',
    'webpki::cn::case-mismatch',
    'webpki::san::mismatch-domain-san',
    'webpki::san::mismatch-subdomain-san',
    'webpki::san::mismatch-subdomain-apex-san',
    'webpki::san::mismatch-apex-subdomain-san',
    'webpki::san::public-suffix-wildcard-san',
    'webpki::san::public-suffix-multi-label-wildcard-san',
    'webpki::san::public-suffix-private-namespace-wildcard-san',
    'webpki::san::wildcard-match-across-labels-san',
    'webpki::san::no-san',
  ],
  'a rule for web servers only': [
    'webpki::aki::root-with-aki-missing-keyidentifier',
    'webpki::aki::root-with-aki-authoritycertissuer',
    'webpki::aki::root-with-aki-authoritycertserialnumber',
    'webpki::aki::root-with-aki-all-fields',
    'webpki::aki::root-with-aki-ski-mismatch',
    'webpki::eku::ee-anyeku',
    'webpki::eku::ee-critical-eku',
    'webpki::eku::ee-without-eku',
    'webpki::eku::root-has-eku',
    'webpki::san::san-critical-with-nonempty-subject',
    'webpki::malformed-aia',
    'webpki::forbidden-rsa-not-divisible-by-8-in-root',
    'webpki::forbidden-rsa-key-not-divisible-by-8-in-leaf',
    'webpki::v1-cert',
    'webpki::ee-basicconstraints-ca',
    'webpki::ca-as-leaf',
  ],
  'our limit on the length of a path is a constant': [
    'pathlen::max-chain-depth-0-exhausted',
    'pathlen::max-chain-depth-1-exhausted',
  ],
}

/** The same, without `strictIssuers`; then we refuse nothing that a case wants trusted. */
const TRUSTED_BY_DEFAULT: Readonly<Record<string, readonly string[]>> = {
  ...TRUSTED_NEVERTHELESS,
  'of a trust anchor name and key count (RFC 5280 §6.1.1 (d)), and roots in use, as TWCA Global Root CA, do not name their key':
    ['rfc5280::aki::cross-signed-root-missing-aki', 'rfc5280::ski::root-missing-ski'],
  'PKITS 4.6.4 wants basicConstraints taken that are not critical': ['rfc5280::root-non-critical-basic-constraints'],
  'the policyConstraints of PKITS itself (4.8, 4.10 to 4.12) are not critical': ['rfc5280::pc::ica-noncritical-pc'],
  'the S/MIME Baseline Requirements of the CA/Browser Forum (7.1.2.2) let nameConstraints be not critical': [
    'rfc5280::nc::permitted-dns-match-noncritical',
  ],
}

/** What we refuse with `strictIssuers` though a case wants it trusted: cases of RFC 5280 itself want the opposite. */
const REFUSED_STRICTLY = ['cve::cve-2024-0567', 'webpki::nc::permitted-dns-match-noncritical']

for (const [strictIssuers, trusted] of [
  [true, TRUSTED_NEVERTHELESS],
  [false, TRUSTED_BY_DEFAULT],
] as const) {
  const rules = strictIssuers ? 'with strictIssuers' : 'by default'
  test(`x509-limbo ${rules}`, { skip: existsSync(FILE) ? false : 'no corpora' }, (t) => {
    const testcases = readCases()
    assert.equal(testcases.length, 207)
    const differing: string[] = []
    const refusedWrongly: string[] = []
    let slowestMs = 0
    for (const limboCase of testcases) {
      const startedMs = performance.now()
      const found = judge(limboCase, strictIssuers)
      slowestMs = Math.max(slowestMs, performance.now() - startedMs)
      if (found.trusted && limboCase.expected_result === 'FAILURE') differing.push(limboCase.id)
      if (!found.trusted && limboCase.expected_result === 'SUCCESS') refusedWrongly.push(limboCase.id)
    }
    const right = testcases.length - differing.length - refusedWrongly.length
    const counts = Object.entries(trusted).map(([why, ids]) => `${ids.length}: ${why}`)
    t.diagnostic(`x509-limbo ${rules}: ${right} of ${testcases.length} as expected; the others: ${counts.join('; ')}`)
    assert.deepEqual(refusedWrongly, strictIssuers ? REFUSED_STRICTLY : [])
    assert.deepEqual(differing.toSorted(), Object.values(trusted).flat().toSorted())
    assert.ok(slowestMs < DURATION_MAX_MS, `the slowest case took ${Math.round(slowestMs)} ms`)
  })
}

function readCases(): readonly Case[] {
  const { testcases } = JSON.parse(readFileSync(FILE, 'utf8')) as { readonly testcases: readonly Case[] }
  return testcases
}

function judge(limboCase: Case, strictIssuers: boolean): TrustFinding {
  const leaf = read(limboCase.peer_certificate)
  if (leaf === undefined) return { trusted: false, verdict: 'untrusted', why: 'unreadable' }
  return searchPath({
    certificate: leaf,
    untrusted: limboCase.untrusted_intermediates.flatMap((pem) => read(pem) ?? []),
    anchors: limboCase.trusted_certs.flatMap((pem) => read(pem) ?? []),
    atMs: limboCase.validation_time === null ? Date.now() : Date.parse(limboCase.validation_time),
    purposes: [PURPOSES[limboCase.validation_kind]],
    strictIssuers,
    ...(limboCase.crls.length === 0 ? {} : { crls: limboCase.crls.flatMap(readCrl) }),
  })
}

function read(pem: string): SmimeCertificate | undefined {
  const parsed = parseCertificate(derOf(pem))
  return parsed.ok ? parsed.value : undefined
}

function readCrl(pem: string) {
  const parsed = parseCrl(derOf(pem))
  return parsed.ok ? [parsed.value] : []
}

const derOf = (pem: string): Uint8Array => Buffer.from(pem.replaceAll(/-----[^-]*-----|\s/g, ''), 'base64')
