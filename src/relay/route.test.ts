import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DnsAnswer, TlsaRecord } from '../base/dns-client.ts'
import { parseDomain, type Domain } from '../message/address.ts'
import { parseNextHop, parseRoutes, routeOf } from './route.ts'
import { tlsVerdict, type TlsFactsOfHost, type TlsFactsOfMail } from './tls-policy.ts'

const hops: readonly [text: string, hop: string | undefined, why: string][] = [
  ['127.0.0.1:2525', '127.0.0.1 2525', 'address and port'],
  ['Mail.Example', 'mail.example 25', 'port 25 when none is given'],
  ['[2001:db8::1]:587', '2001:db8::1 587', 'IPv6 in brackets'],
  ['[::1]', '::1 25', 'IPv6 without port'],
  ['2001:db8::1', undefined, 'IPv6 without brackets is ambiguous'],
  ['[127.0.0.1]', undefined, 'brackets are for IPv6'],
  ['host:0', undefined, 'no port 0'],
  ['host:65536', undefined, 'no such port'],
  ['host:25:25', undefined, 'two ports'],
  ['', undefined, 'nothing'],
  ['a b', undefined, 'blank'],
]
for (const [text, hop, why] of hops)
  test(`next hop: ${why}`, () => {
    const found = parseNextHop(text)
    assert.equal(found && `${found.host} ${found.port}`, hop)
  })

const routes: readonly [domain: string, expected: string, why: string][] = [
  ['abc.com', 'host 10.0.0.1 2525', 'a row of its own'],
  ['other.example', 'mx other.example', 'no row: DNS'],
  ['sub.abc.com', 'mx sub.abc.com', 'a row is for one domain'],
  ['[192.0.2.1]', 'host 192.0.2.1 25', 'address literal (RFC 5321 §4.1.3)'],
  ['[IPv6:2001:db8::1]', 'host 2001:db8::1 25', 'IPv6 literal'],
]
for (const [domain, expected, why] of routes)
  test(`route: ${why}`, () => {
    const rows = parseRoutes({ 'ABC.com': '10.0.0.1:2525' })
    assert.ok(rows.ok)
    const route = routeOf((parseDomain(domain) ?? domain) as Domain, rows.value)
    assert.equal(route.kind === 'mx' ? `mx ${route.domain}` : `host ${route.host} ${route.port}`, expected)
  })

test("route: '*' takes all that have no row, literals too", () => {
  const rows = parseRoutes({ '*': 'smart.example:587', 'abc.com': '10.0.0.1' })
  assert.ok(rows.ok)
  for (const domain of ['x.example', '[192.0.2.1]'])
    assert.deepEqual(routeOf(domain as Domain, rows.value), { kind: 'host', host: 'smart.example', port: 587 })
  assert.equal(routeOf('abc.com' as Domain, rows.value).kind, 'host')
})

test('a bad row is named', () => {
  assert.deepEqual(parseRoutes({ 'a.example': 'x:y' }), {
    ok: false,
    error: 'relay.routes: "x:y" for a.example is not host:port',
  })
})

const usable = { usage: 3, selector: 1, matchingType: 1, data: new Uint8Array(32) }
const signed = (records: readonly TlsaRecord[]): DnsAnswer<TlsaRecord> => ({ kind: 'records', records, secure: true })
const unsealed = { tls: 'usual', sealed: false } as const
const sealed = { tls: 'usual', sealed: true } as const
const required = { tls: 'required', sealed: true } as const
const unimportant = { tls: 'unimportant', sealed: false } as const

const verdicts: readonly [
  mail: TlsFactsOfMail,
  host: Omit<TlsFactsOfHost, 'configured'> & Partial<TlsFactsOfHost>,
  clear: boolean,
  expected: string,
][] = [
  [unsealed, {}, false, 'if-offered nothing nobody'],
  [sealed, {}, false, 'if-offered nothing nobody, or clear'],
  [unsealed, {}, true, 'if-offered nothing nobody, or clear'],
  [sealed, { configured: 'verified' }, true, 'always name operator'],
  [required, { nameProven: true }, true, 'always name sender'],
  [required, { nameProven: true, tlsa: signed([usable]) }, true, 'always tlsa dane'],
  [required, { sts: 'named' }, true, 'always name mta-sts'],
  [required, {}, true, 'neither signed DNS nor MTA-STS says that it is a mail host of the domain, ever'],
  [
    required,
    { tlsa: signed([usable]) },
    true,
    'neither signed DNS nor MTA-STS says that it is a mail host of the domain, ever',
  ],
  [unimportant, {}, false, 'if-offered nothing nobody, or clear'],
  [unimportant, { sts: 'not-named', tlsa: signed([usable]) }, false, 'if-offered nothing nobody, or clear'],
  [unimportant, { configured: 'verified' }, false, 'always name operator'],
  [unimportant, { signIn: true }, false, 'always name operator'],
  [sealed, { tlsa: signed([usable]) }, true, 'always tlsa dane'],
  [sealed, { tlsa: signed([usable]), sts: 'named', configured: 'verified' }, true, 'always tlsa dane'],
  [sealed, { tlsa: signed([{ ...usable, usage: 1 }]) }, true, 'always nothing dane'],
  [sealed, { tlsa: signed([{ ...usable, usage: 1 }]), sts: 'named' }, true, 'always name mta-sts'],
  [required, { nameProven: true, tlsa: signed([{ ...usable, data: new Uint8Array(31) }]) }, true, 'always name sender'],
  [sealed, { signIn: true, tlsa: signed([{ ...usable, usage: 1 }]) }, true, 'always name operator'],
  [
    sealed,
    { tlsa: { kind: 'records', records: [usable], secure: false } },
    true,
    'if-offered nothing nobody, or clear',
  ],
  [sealed, { tlsa: { kind: 'none', secure: true } }, true, 'if-offered nothing nobody, or clear'],
  [sealed, { tlsa: { kind: 'trouble', why: 'SERVFAIL' } }, true, 'its TLSA records cannot be had: SERVFAIL'],
  [sealed, { sts: 'named' }, true, 'always name mta-sts'],
  [sealed, { sts: 'not-named' }, true, 'its domain does not name it among its mail hosts (MTA-STS)'],
  [sealed, { sts: 'not-named', tlsa: signed([usable]) }, true, 'always tlsa dane'],
]
for (const [mail, host, clear, expected] of verdicts)
  test(`TLS: ${JSON.stringify({ mail, host, clear })}`, () => {
    const verdict = tlsVerdict(mail, { configured: 'opportunistic', ...host }, clear)
    if ('refused' in verdict) return assert.equal(verdict.refused + (verdict.forGood ? ', ever' : ''), expected)
    const { use, verify, by, clearAfterFailure } = verdict
    const proof = typeof verify === 'string' ? verify : 'tlsa'
    return assert.equal(`${use} ${proof} ${by}${clearAfterFailure ? ', or clear' : ''}`, expected)
  })
