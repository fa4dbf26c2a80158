import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { DnsAsk } from '../base/dns-client.ts'
import { fromLatin1, latin1 } from '../base/bytes.ts'
import { parsePart } from '../message/parse.ts'
import { bodyOf } from '../message/part.ts'
import { type Authentication, authorDomains, beginAuthentication, finishAuthentication } from './authenticate.ts'
import { signedHeader } from './dkim-signature.ts'
import { authenticationWords } from './results.ts'

/** RFC 8463, appendix A: one message with a signature of each kind. */
const SIGNED = latin1(readFileSync(new URL('../../test/vectors/rfc8463/appendix-a.eml', import.meta.url)))
const RSA =
  'v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB'
const ED25519 = 'v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='
const RSA_NAME = 'test._domainkey.football.example.com'
const ED25519_NAME = 'brisbane._domainkey.football.example.com'
const ZONE = { [RSA_NAME]: RSA, [ED25519_NAME]: ED25519 }

const dns =
  (zone: Readonly<Record<string, string>>): DnsAsk =>
  (name, type) => {
    const record = type === 'TXT' ? zone[name] : undefined
    if (record === 'trouble') return Promise.resolve({ kind: 'trouble', why: 'SERVFAIL' })
    return Promise.resolve(
      record === undefined
        ? { kind: 'no-domain', secure: false }
        : { kind: 'records', records: [record] as never[], secure: false },
    )
  }

async function authenticate(raw: string, zone: Readonly<Record<string, string>> = ZONE): Promise<Authentication> {
  const part = parsePart(fromLatin1(raw))
  const begun = beginAuthentication(part.fields)
  begun.bodies.write(bodyOf(part))
  begun.bodies.end()
  const client = { ip: '192.0.2.1', mailFrom: 'joe@football.example.com', helo: 'mx.football.example.com' }
  return await finishAuthentication(begun, client, { ask: dns(zone), nowMs: 1_528_637_909_000 })
}

const dkimOf = ({ dkim }: Authentication): string => dkim.map(({ result }) => result).join(' ')

const cases: readonly [why: string, change: (raw: string) => string, zone: Record<string, string>, dkim: string][] = [
  ['as RFC 8463 has it', (raw) => raw, ZONE, 'pass pass'],
  ['a letter of the body', (raw) => raw.replace('game', 'gape'), ZONE, 'fail fail'],
  ['blanks that the form does not see', (raw) => raw.replace('game.  Are', 'game. \t Are'), ZONE, 'pass pass'],
  ['blanks at a line end', (raw) => raw.replace('Joe.\r', 'Joe. \t\r'), ZONE, 'pass pass'],
  ['a letter of the subject', (raw) => raw.replace('dinner', 'supper'), ZONE, 'fail fail'],
  [
    'a second From, for it is signed once more than it is there',
    (raw) => `From: eve@evil.example\r\n${raw}`,
    ZONE,
    'fail fail',
  ],
  ['a field that is not signed', (raw) => `X-Spam: yes\r\n${raw}`, ZONE, 'pass pass'],
  ['no keys', (raw) => raw, {}, 'permerror permerror'],
  ['name server in trouble', (raw) => raw, { ...ZONE, [RSA_NAME]: 'trouble' }, 'pass temperror'],
  ['a revoked key', (raw) => raw, { ...ZONE, [ED25519_NAME]: 'v=DKIM1; k=ed25519; p=' }, 'permerror pass'],
  ['a key of the other kind', (raw) => raw, { ...ZONE, [ED25519_NAME]: RSA }, 'permerror pass'],
  ['a record of 64 kB', (raw) => raw, { ...ZONE, [RSA_NAME]: `${RSA}; n=${'x'.repeat(65_000)}` }, 'pass permerror'],
  ['a key for its very domain', (raw) => raw, { ...ZONE, [RSA_NAME]: `${RSA}; t=s` }, 'pass pass'],
  ['a key for another service', (raw) => raw, { ...ZONE, [RSA_NAME]: `${RSA}; s=chat` }, 'pass permerror'],
  ['a key for SHA-1 only', (raw) => raw, { ...ZONE, [RSA_NAME]: `${RSA}; h=sha1` }, 'pass permerror'],
  [
    'it says that From is not signed',
    (raw) => raw.replaceAll('from :', 'frog :').replaceAll(': from', ': frog'),
    ZONE,
    'neutral neutral',
  ],
  ['SHA-1', (raw) => raw.replace('rsa-sha256', 'rsa-sha1'), ZONE, 'pass policy'],
  ['two d=', (raw) => raw.replace('q=dns/txt; s=test', 'd=evil.example; s=test'), ZONE, 'pass neutral'],
  [
    'run out',
    (raw) => raw.replace('t=1528637909; h=from : to :\r', 'x=1528637908; h=from : to :\r'),
    ZONE,
    'fail pass',
  ],
  [
    'its time is signed',
    (raw) => raw.replace('t=1528637909; h=from : to :\r', 'x=1528637910; h=from : to :\r'),
    ZONE,
    'fail pass',
  ],
  ['an i= of somebody else', (raw) => raw.replace('i=@football.example.com', 'i=@evil.example'), ZONE, 'neutral pass'],
  ['no signatures', (raw) => raw.slice(raw.indexOf('From:')), ZONE, ''],
]

for (const [why, change, zone, expected] of cases)
  test(`DKIM: ${why}`, async () => {
    assert.equal(dkimOf(await authenticate(change(SIGNED), zone)), expected)
  })

test('of a thousand signatures the topmost eight are looked at', async () => {
  const forged = 'DKIM-Signature: v=1; a=rsa-sha256; d=evil.example; s=a; h=from; bh=AAAA; b=AAAA\r\n'
  const asked: string[] = []
  const part = parsePart(fromLatin1(forged.repeat(1_000) + SIGNED))
  const begun = beginAuthentication(part.fields)
  begun.bodies.end()
  const client = { ip: '192.0.2.1', mailFrom: '', helo: 'evil.example' }
  const ask: DnsAsk = (name, type) => (asked.push(name), dns(ZONE)(name, type))
  const { dkim } = await finishAuthentication(begun, client, { ask, nowMs: 0 })
  assert.equal(dkim.length, 8)
  assert(asked.length < 20, `${asked.length} questions`)
})

test('the words of Authentication-Results', async () => {
  const zone = {
    ...ZONE,
    'football.example.com': 'v=spf1 ip4:192.0.2.0/24 -all',
    '_dmarc.football.example.com': 'v=DMARC1; p=reject',
  }
  assert.deepEqual(authenticationWords(await authenticate(SIGNED, zone)), [
    'spf=pass smtp.mailfrom=football.example.com',
    'dkim=pass header.d=football.example.com header.s=brisbane header.a=ed25519-sha256',
    'dkim=pass header.d=football.example.com header.s=test header.a=rsa-sha256',
    'dmarc=pass (p=reject) header.from=football.example.com',
  ])
  const changed = await authenticate(SIGNED.replace('game', 'gape'), { ...zone, 'football.example.com': 'v=spf1 -all' })
  assert.deepEqual(authenticationWords(changed), [
    'spf=fail smtp.mailfrom=football.example.com',
    'dkim=fail reason="the body has been changed" header.d=football.example.com header.s=brisbane header.a=ed25519-sha256',
    'dkim=fail reason="the body has been changed" header.d=football.example.com header.s=test header.a=rsa-sha256',
    'dmarc=fail (p=reject) header.from=football.example.com',
  ])
})

test('authors are those of all From fields, or nobody', () => {
  const of = (header: string) => authorDomains(parsePart(fromLatin1(`${header}\r\n\r\n`)).fields)
  assert.deepEqual(of('From: A <a@b.example>, c@d.example'), ['b.example', 'd.example'])
  assert.deepEqual(of('From: a@b.example\r\nFrom: c@d.example'), ['b.example', 'd.example'])
  assert.deepEqual(of('From: a@b.example\r\nFrom: nobody'), [])
  assert.deepEqual(of('To: a@b.example'), [])
})

test('of fields of one name the lowest is signed first: what is put on top is not', () => {
  const { fields } = parsePart(fromLatin1('X: top\r\nX: bottom\r\nDKIM-Signature: b=\r\n\r\n'))
  const field = fields[2] as (typeof fields)[number]
  const signed = (names: readonly string[]): string =>
    latin1(signedHeader(fields, { field, signedFields: names, headerForm: 'relaxed' }))
  assert.equal(signed(['x']), 'x:bottom\r\ndkim-signature:b=')
  assert.equal(signed(['x', 'x', 'x']), 'x:bottom\r\nx:top\r\ndkim-signature:b=')
})
