import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDomain, type Domain } from '../message/address.ts'
import { parseNextHop, parseRoutes, routeOf } from './route.ts'
import { tlsVerdict, type TlsVerdict } from './tls-policy.ts'

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

const verdicts: readonly [
  requireTls: boolean,
  sealed: boolean,
  hop: 'opportunistic' | 'verified',
  clear: boolean,
  TlsVerdict,
][] = [
  [false, false, 'opportunistic', false, { use: 'if-offered', verify: false, clearAfterFailure: false }],
  [false, true, 'opportunistic', false, { use: 'if-offered', verify: false, clearAfterFailure: true }],
  [false, false, 'opportunistic', true, { use: 'if-offered', verify: false, clearAfterFailure: true }],
  [false, true, 'verified', true, { use: 'always', verify: true, clearAfterFailure: false }],
  [true, true, 'opportunistic', true, { use: 'always', verify: true, clearAfterFailure: false }],
]
for (const [requireTls, sealed, hop, clear, expected] of verdicts)
  test(`TLS: ${JSON.stringify({ requireTls, sealed, hop, clear })}`, () =>
    assert.deepEqual(tlsVerdict({ requireTls, sealed }, hop, clear), expected))
