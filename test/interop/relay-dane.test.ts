/** DANE (RFC 7672) against a validating resolver: what a domain has signed about its mail host holds, and nothing less. */
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createDnsClient } from '../../src/base/dns-client.ts'
import { parseDomain, type Domain } from '../../src/message/address.ts'
import type { OutgoingMail } from '../../src/protocol/delivery.ts'
import { createTlsCertificate } from '../../src/keys/certificate-authority.ts'
import { writeCertificatePem, writePrivateKeyPem } from '../../src/protection/smime/key-files/pem.ts'
import { dnsName, subjectAltName } from '../../src/protection/smime/x509/write-certificate.ts'
import { MxResolver } from '../../src/relay/mx.ts'
import { address, deliver, mail, paths, pieces, BODY, text } from '../support/relay-bench.ts'
import { startScriptedSmtp, type SmtpScript } from '../support/scripted-smtp.ts'
import { needsUnbound, startSignedDns, type ZoneOrder } from '../support/signed-dns.ts'
import { type CertificateOrder, DAY_MS, makeAuthority, makeCertificate } from '../support/x509-maker.ts'

const UNBOUND = needsUnbound()
const dates = { notBeforeMs: Date.now() - 2 * DAY_MS, notAfterMs: Date.now() + DAY_MS }

/** A server's certificate by an authority that only the domain knows, with that authority's. */
function issued(name: string, changes: Partial<CertificateOrder> = {}): SmtpScript['tls'] {
  const extensions = [subjectAltName([dnsName(name)], false)]
  const { certificate, key } = makeCertificate({
    name: 'a server',
    issuer: authority,
    extensions,
    ...dates,
    ...changes,
  })
  const chain = [certificate, authority.certificate].map(({ encoded }) => writeCertificatePem(encoded))
  return { cert: chain.join(''), key: writePrivateKeyPem(key) }
}

const authority = makeAuthority({ name: 'an authority', ...dates })
const { certificatePem, keyPem } = await createTlsCertificate({ hosts: ['elsewhere.example'], nowMs: Date.now() })
const own = { cert: certificatePem, key: keyPem }

const OWN_KEY = digestOf(new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'der' }))
const AUTHORITY = digestOf(authority.certificate.encoded)
const AUTHORITY_WHOLE = Buffer.from(authority.certificate.encoded).toString('hex')
const NOBODY = digestOf(Buffer.from('nobody'))

const cases: readonly [
  why: string,
  tlsa: string | undefined,
  tls: SmtpScript['tls'],
  zone: Partial<ZoneOrder>,
  expected: string,
][] = [
  ['3 1 1: its own key, whatever names it has', `3 1 1 ${OWN_KEY}`, own, {}, 'delivered, proven'],
  ['one of several records', `3 1 1 ${NOBODY}\n_PORT._tcp.mx TLSA 3 1 1 ${OWN_KEY}`, own, {}, 'delivered, proven'],
  ['another key', `3 1 1 ${NOBODY}`, own, {}, 'none that its domain has signed for'],
  ['no TLS, as if somebody had hidden it', `3 1 1 ${OWN_KEY}`, undefined, {}, '502 5.5.1 No TLS here'],
  [
    '2 0 1: by an authority that the domain names',
    `2 0 1 ${AUTHORITY}`,
    issued('mx.b.example'),
    {},
    'delivered, proven',
  ],
  ['2 0 0: the authority in the record', `2 0 0 ${AUTHORITY_WHOLE}`, issued('mx.b.example'), {}, 'delivered, proven'],
  ['2: the name of the domain', `2 0 1 ${AUTHORITY}`, issued('b.example'), {}, 'delivered, proven'],
  ['2: another name', `2 0 1 ${AUTHORITY}`, issued('evil.example'), {}, 'does not name mx.b.example or b.example'],
  [
    '2: out of its time',
    `2 0 1 ${AUTHORITY}`,
    issued('mx.b.example', { notAfterMs: Date.now() - DAY_MS }),
    {},
    'none that',
  ],
  ['2: an authority that the server made up', `2 0 1 ${NOBODY}`, issued('mx.b.example'), {}, 'none that its domain'],
  ['1 1 1 is not for mail: TLS, and any certificate', `1 1 1 ${NOBODY}`, own, {}, 'delivered'],
  ['1 1 1, and no TLS', `1 1 1 ${NOBODY}`, undefined, {}, '502 5.5.1 No TLS here'],
  ['no record', undefined, own, {}, 'delivered'],
  ['no record, no TLS', undefined, undefined, {}, 'delivered'],
  ['a zone that nobody signed', `3 1 1 ${NOBODY}`, own, { state: 'unsigned' }, 'delivered'],
  [
    'a record that was changed on the way',
    `3 1 1 ${NOBODY}`,
    own,
    { state: 'bogus', change: [NOBODY, OWN_KEY] },
    'its TLSA records cannot be had: SERVFAIL',
  ],
]

for (const [why, tlsa, tls, zone, expected] of cases)
  test(`DANE, ${why}: ${expected}`, UNBOUND, async () => {
    const said = await attempt(tlsa, tls, zone)
    if (expected.startsWith('delivered')) assert.equal(said, expected)
    else assert.ok(said.includes(expected), said)
  })

test('DANE: a name server that is not ours to believe proves nothing', UNBOUND, async () => {
  assert.equal(await attempt(`3 1 1 ${NOBODY}`, own, {}, false), 'delivered')
})

test(
  'DANE: signed addresses and records count, though an unsigned answer led to them; the domain proves nothing then',
  UNBOUND,
  async () => {
    const hosted = { domain: parseDomain('hosted.example') as Domain, recipients: paths(address('x@hosted.example')) }
    const led = (tlsa: string, tls: SmtpScript['tls']): Promise<string> =>
      attempt(tlsa, tls, {}, undefined, undefined, hosted)
    assert.equal(await led(`3 1 1 ${OWN_KEY}`, own), 'delivered, proven')
    assert.match(await led(`3 1 1 ${NOBODY}`, own), /none that its domain has signed for/)
    assert.equal(await led(`2 0 1 ${AUTHORITY}`, issued('mx.b.example')), 'delivered, proven')
    assert.match(await led(`2 0 1 ${AUTHORITY}`, issued('hosted.example')), /does not name mx\.b\.example/)
    const tlsRequired = { ...hosted, tls: 'required' } as const
    const said = await attempt(`3 1 1 ${OWN_KEY}`, own, {}, undefined, undefined, tlsRequired)
    assert.match(said, /^550 5\.7\.10 .*neither signed DNS nor MTA-STS/, 'RFC 8689 §2')
  },
)

test('DANE: a configured next hop is held to what its own domain has signed', UNBOUND, async () => {
  const through = (tlsa: string, tls: SmtpScript['tls']): Promise<string> =>
    attempt(tlsa, tls, {}, undefined, 'mx.b.example')
  assert.equal(await through(`3 1 1 ${OWN_KEY}`, own), 'delivered, proven')
  assert.match(await through(`3 1 1 ${NOBODY}`, own), /none that its domain has signed for/)
  assert.match(await through(`3 1 1 ${NOBODY}`, undefined), /No TLS here/)
  assert.match(await through(`2 0 1 ${AUTHORITY}`, issued('b.example')), /does not name mx\.b\.example/)
})

const ALIAS = 'real.c.example'
const aliases: readonly [why: string, zones: readonly ZoneOrder[], tls: SmtpScript['tls'], expected: string][] = [
  [
    'where signed aliases lead comes first',
    aliased(`_PORT._tcp.mx TLSA 3 1 1 ${NOBODY}`, `_PORT._tcp.real TLSA 3 1 1 ${OWN_KEY}`),
    own,
    'delivered, proven',
  ],
  [
    'and alone counts',
    aliased(`_PORT._tcp.mx TLSA 3 1 1 ${OWN_KEY}`, `_PORT._tcp.real TLSA 3 1 1 ${NOBODY}`),
    own,
    'none that its domain has signed for',
  ],
  ['else the name itself', aliased(`_PORT._tcp.mx TLSA 3 1 1 ${OWN_KEY}`), own, 'delivered, proven'],
  [
    'else the name itself, and nothing less',
    aliased(`_PORT._tcp.mx TLSA 3 1 1 ${NOBODY}`),
    own,
    'none that its domain',
  ],
  ['neither has records', aliased(), own, 'delivered'],
  [
    'usage 2, the name that has the records',
    aliased(undefined, `_PORT._tcp.real TLSA 2 0 1 ${AUTHORITY}`),
    issued(ALIAS),
    'delivered, proven',
  ],
  [
    'usage 2, not the alias that has none',
    aliased(undefined, `_PORT._tcp.real TLSA 2 0 1 ${AUTHORITY}`),
    issued('mx.b.example'),
    `does not name ${ALIAS} or b.example`,
  ],
  [
    'a signed alias to what nobody signed: the name itself',
    aliased(`_PORT._tcp.mx TLSA 3 1 1 ${NOBODY}`, undefined, 'unsigned'),
    own,
    'none that its domain has signed for',
  ],
  [
    'a signed alias to what nobody signed, whose records are anybody’s',
    aliased(undefined, `_PORT._tcp.real TLSA 3 1 1 ${NOBODY}`, 'unsigned'),
    own,
    'delivered',
  ],
]

for (const [why, zones, tls, expected] of aliases)
  test(`DANE, the mail host is an alias: ${why}: ${expected}`, UNBOUND, async () => {
    const said = await attemptIn(zones, tls)
    if (expected.startsWith('delivered')) assert.equal(said, expected)
    else assert.ok(said.includes(expected), said)
  })

test('DANE: the server is asked for by the name that has the records (RFC 7672 §3.2.1)', UNBOUND, async () => {
  const asked: string[] = []
  const tls = { ...own, onServerName: (name: string) => void asked.push(name) }
  await attemptIn(aliased(undefined, `_PORT._tcp.real TLSA 3 1 1 ${OWN_KEY}`), tls)
  await attemptIn(aliased(`_PORT._tcp.mx TLSA 3 1 1 ${OWN_KEY}`), tls)
  assert.deepEqual(asked, [ALIAS, 'mx.b.example'])
})

/** mx.b.example is an alias of real.c.example, in another zone. */
function aliased(of?: string, ofTarget?: string, state: 'signed' | 'unsigned' = 'signed'): ZoneOrder[] {
  const records = ['@ MX 10 mx', `mx CNAME ${ALIAS}.`, ...(of === undefined ? [] : [of])]
  const target = ['real A 127.0.0.1', ...(ofTarget === undefined ? [] : [ofTarget])]
  return [
    { name: 'b.example', records },
    { name: 'c.example', records: target, state },
  ]
}

/** A domain that has its mail hosted, and signs nothing itself. */
const UNSIGNED: ZoneOrder = { name: 'hosted.example', records: ['@ MX 10 mx.b.example.'], state: 'unsigned' }

/** One attempt at mx.b.example, whose zone has `tlsa`. */
function attempt(
  tlsa: string | undefined,
  tls: SmtpScript['tls'],
  zone: Partial<ZoneOrder>,
  trustValidation?: boolean,
  route?: string,
  what: Partial<OutgoingMail> = {},
): Promise<string> {
  const records = ['@ MX 10 mx', 'mx A 127.0.0.1', ...(tlsa === undefined ? [] : [`_PORT._tcp.mx TLSA ${tlsa}`])]
  return attemptIn([{ name: 'b.example', records, ...zone }, UNSIGNED], tls, { trustValidation, route, what })
}

/** `delivered`, `proven` when the server's certificate was, or what was said. */
async function attemptIn(
  zones: readonly ZoneOrder[],
  tls: SmtpScript['tls'],
  {
    trustValidation,
    route,
    what = {},
  }: {
    readonly trustValidation?: boolean | undefined
    readonly route?: string | undefined
    readonly what?: Partial<OutgoingMail>
  } = {},
): Promise<string> {
  await using server = await startScriptedSmtp(tls === undefined ? {} : { ehlo: ['STARTTLS'], tls })
  const ported = zones.map((zone) => ({
    ...zone,
    records: zone.records.map((record) => record.replaceAll('PORT', String(server.port))),
  }))
  await using dns = await startSignedDns(ported)
  const ask = createDnsClient({ server: dns.resolver, ...(trustValidation !== undefined && { trustValidation }) })
  const resolver = new MxResolver({
    ownNames: [],
    isOwnAddress: () => false,
    ask,
    hostsFile: false,
    random: Math.random,
    allowLocalAddresses: true,
  })
  let proven = false
  const [result] = await deliver(server.port, mail(what), () => pieces(BODY, 100), {
    routes: new Map(route === undefined ? [] : [['b.example', { host: route, port: server.port }]]),
    resolver,
    mxPort: server.port,
    events: { sessionOpened: (session) => void (proven = session.tls?.verified === true), hostFailed: () => {} },
  })
  assert.equal(server.messages.length, result?.outcome === 'delivered' ? 1 : 0)
  if (result?.outcome === 'delivered') assert.equal(result.hop?.verified === 'dane', proven)
  return result?.outcome === 'delivered' ? `delivered${proven ? ', proven' : ''}` : text(result)
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
