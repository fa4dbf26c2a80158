/** TLSRPT (RFC 8460): what the relay finds with real handshakes, counted in the store, and in the reports that go out. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { beginAuthentication, finishAuthentication } from '../../src/authentication/authenticate.ts'
import { latin1 } from '../../src/base/bytes.ts'
import type { DnsAsk } from '../../src/base/dns-client.ts'
import { createTlsCertificate } from '../../src/keys/certificate-authority.ts'
import { DkimKeys, makeDkimKey } from '../../src/keys/dkim-keys.ts'
import type { FetchRequest } from '../../src/keys/http-fetch.ts'
import type { Domain } from '../../src/message/address.ts'
import { parsePart } from '../../src/message/parse.ts'
import { bodyOf } from '../../src/message/part.ts'
import type { StsPolicy } from '../../src/relay/mta-sts.ts'
import type { RelayDeps } from '../../src/relay/relay.ts'
import { TlsCounts } from '../../src/relay/tls-reports/counts.ts'
import type { HopTried } from '../../src/relay/tls-reports/result.ts'
import { sendTlsReports } from '../../src/relay/tls-reports/send.ts'
import { openSqliteStore, type Opened } from '../../src/store/conformance/fixture.ts'
import { leaseBatches } from '../../src/store/leases.ts'
import { BODY, address, deliver, mail, pieces } from '../support/relay-bench.ts'
import { startScriptedSmtp, type SmtpScript } from '../support/scripted-smtp.ts'

const nowMs = Date.now()
const good = await createTlsCertificate({ hosts: ['mx.b.example'], nowMs })
const wrong = await createTlsCertificate({ hosts: ['elsewhere.example'], nowMs })
const over = ({ certificatePem, keyPem }: typeof good): SmtpScript => ({
  ehlo: ['STARTTLS'],
  tls: { cert: certificatePem, key: keyPem },
})
const enforced: StsPolicy = { mode: 'enforce', mx: ['mx.b.example'], maxAgeMs: 86_400_000 }
const elsewhere: StsPolicy = { ...enforced, mx: ['mx.c.example'] }
const tested: StsPolicy = { ...enforced, mode: 'testing' }
const testedElsewhere: StsPolicy = { ...elsewhere, mode: 'testing' }

/** One attempt at mx.b.example, found by MX. */
async function tried(script: SmtpScript, sts: StsPolicy | undefined, anchors: readonly string[]): Promise<HopTried[]> {
  await using server = await startScriptedSmtp(script)
  const hops: HopTried[] = []
  const resolver: RelayDeps['resolver'] = {
    mailHosts: () => Promise.resolve({ kind: 'hosts', names: [['mx.b.example']], secure: false }),
    addresses: () => Promise.resolve({ kind: 'addresses', addresses: ['127.0.0.1'], secure: false }),
    nextHopAddresses: () => Promise.reject(new Error('not by route')),
    tlsaRecords: () => Promise.resolve({ kind: 'none', secure: false }),
  }
  const [result] = await deliver(server.port, mail(), () => pieces(BODY, 100), {
    routes: new Map(),
    resolver,
    stsPolicy: () => Promise.resolve(sts),
    anchorsPem: anchors,
    mxPort: server.port,
    events: { sessionOpened: () => {}, hostFailed: () => {}, hopTried: (hop) => hops.push(hop) },
  })
  if (sts?.mode === 'testing') assert.equal(result?.outcome, 'delivered', 'RFC 8461 §5: as if there were no failure')
  return hops
}

const cases: readonly [
  why: string,
  script: SmtpScript,
  sts: StsPolicy | undefined,
  trusted: boolean,
  expected: string,
][] = [
  ['a policy that is met', over(good), enforced, true, 'sts success'],
  ['a certificate of somebody else', over(wrong), enforced, true, 'sts certificate-host-mismatch'],
  ['a certificate that nobody vouches for', over(good), enforced, false, 'sts certificate-not-trusted'],
  ['no STARTTLS, though a policy asks for it', {}, enforced, true, 'sts starttls-not-supported'],
  ['a host that the policy does not name', over(good), elsewhere, true, 'sts validation-failure'],
  ['testing mode: a policy that is met', over(good), tested, true, 'sts success'],
  ['testing mode: a certificate of somebody else', over(wrong), tested, true, 'sts certificate-host-mismatch'],
  ['testing mode: nobody vouches for it', over(good), tested, false, 'sts certificate-not-trusted'],
  ['testing mode: no STARTTLS', {}, tested, true, 'sts starttls-not-supported'],
  ['testing mode: a host that is not named', over(good), testedElsewhere, true, 'sts validation-failure'],
  ['no policy, TLS', over(wrong), undefined, false, 'no-policy-found success'],
  ['no policy, no TLS', {}, undefined, false, 'no-policy-found starttls-not-supported'],
]

for (const [why, script, sts, trusted, expected] of cases)
  test(`TLS results: ${why}: ${expected}`, async () => {
    const anchors = trusted ? [good.certificatePem, wrong.certificatePem] : [wrong.certificatePem]
    const hops = await tried(script, sts, anchors)
    assert.deepEqual(
      hops.map(({ policy, result }) => `${policy.type} ${result}`),
      [expected],
    )
    assert.equal(hops[0]?.domain, 'b.example')
    assert.equal(hops[0]?.host, 'mx.b.example')
    assert.equal(hops[0]?.sendingAddress, why === 'a host that the policy does not name' ? undefined : '127.0.0.1')
  })

const submitter = 'a.example' as Domain

async function reporting({ store, clock }: Opened, records: readonly string[] | 'trouble', isTaken = () => true) {
  const counts = new TlsCounts(store, clock)
  const dkimKeys = new DkimKeys(store)
  const posted: FetchRequest[] = []
  const ask: DnsAsk = (name) =>
    Promise.resolve(
      records === 'trouble'
        ? { kind: 'trouble', why: 'SERVFAIL' }
        : name === '_smtp._tls.b.example'
          ? { kind: 'records', records: records as never[], secure: false }
          : { kind: 'none', secure: false },
    )
  const send = (): Promise<void> =>
    sendTlsReports({
      store,
      clock,
      ask,
      dkimKeys,
      submitter,
      fetch: (request) => {
        posted.push(request)
        const no = { ok: false, error: 'the server answered 503' } as const
        return Promise.resolve(isTaken() ? { ok: true, value: new Uint8Array() } : no)
      },
      postmaster: address('postmaster@a.example'),
      stsPolicy: () => Promise.resolve(enforced),
      wakeQueue: () => {},
    })
  const add = async (...hops: HopTried[]): Promise<void> => {
    hops.forEach((hop) => counts.add(hop))
    await counts.write()
  }
  const queued = async (): Promise<{ readonly raw: Uint8Array; readonly to: string; readonly tls: string }[]> => {
    const options = { nowMs: clock.now, leaseMs: 1_000, limit: 10 } as Parameters<typeof leaseBatches>[1]
    const batches = await store.commit((tx) => leaseBatches(tx, options))
    return Promise.all(
      batches.flatMap(({ bytesId, items }) =>
        items.map(async ({ recipient, tls }) => ({ raw: await store.bytes.read(bytesId), to: recipient, tls })),
      ),
    )
  }
  return { add, send, queued, posted, dkimKeys }
}

const sts = {
  domain: 'b.example',
  host: 'mx.b.example',
  address: '192.0.2.9',
  sendingAddress: '192.0.2.1',
  policy: { type: 'sts' },
} as const
const DAY_MS = 86_400_000

test('the day after, a domain that asks for it has its report by mail, signed, and by HTTPS; once', async (t) => {
  const opened = await openSqliteStore(t)
  const record = 'v=TLSRPTv1; rua=mailto:tls@reports.example,https://reports.example/v1'
  const { add, send, queued, posted, dkimKeys } = await reporting(opened, [record])
  const key = await makeDkimKey('ed25519-sha256')
  await opened.store.commit(async (tx) => {
    await dkimKeys.add(tx, submitter, 's', key, 0)
    await dkimKeys.use(tx, submitter, 's', true)
  })
  await add({ ...sts, result: 'success' }, { ...sts, result: 'success' })
  await add({ ...sts, result: 'success' }, { ...sts, result: 'certificate-expired' })
  await add({ ...sts, domain: 'silent.example', result: 'success' })
  await send()
  assert.deepEqual(await queued(), [], 'the day is not over')

  opened.clock.now += DAY_MS
  await send()
  const [report, ...others] = await queued()
  assert(report !== undefined)
  assert.equal(others.length, 0)
  assert.deepEqual([report.to, report.tls], ['tls@reports.example', 'unimportant'])
  const text = latin1(report.raw)
  assert.match(text, /^Content-Type: multipart\/report; report-type="tlsrpt";/m)
  assert.match(text, /^TLS-Report-Domain: b\.example\r$/m)
  assert.match(text, /^TLS-Report-Submitter: a\.example\r$/m)
  const [, packed = ''] = /application\/tlsrpt\+gzip\r\n[^]*?\r\n\r\n([A-Za-z0-9+/=\r\n]+)\r\n--/.exec(text) ?? []
  const json = JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString()) as Record<string, unknown>
  const { 'report-id': reportId, ...rest } = json
  assert.match(String(reportId), /@a\.example$/)
  assert.deepEqual(rest, {
    'organization-name': 'a.example',
    'date-range': { 'start-datetime': '2026-11-22T00:00:00Z', 'end-datetime': '2026-11-22T23:59:59Z' },
    'contact-info': 'postmaster@a.example',
    policies: [
      {
        policy: {
          'policy-type': 'sts',
          'policy-string': ['version: STSv1', 'mode: enforce', 'mx: mx.b.example', 'max_age: 86400'],
          'policy-domain': 'b.example',
          'mx-host': ['mx.b.example'],
        },
        summary: { 'total-successful-session-count': 3, 'total-failure-session-count': 1 },
        'failure-details': [
          {
            'result-type': 'certificate-expired',
            'sending-mta-ip': '192.0.2.1',
            'receiving-mx-hostname': 'mx.b.example',
            'receiving-ip': '192.0.2.9',
            'failed-session-count': 1,
          },
        ],
      },
    ],
  })
  assert.deepEqual(
    posted.map(({ url, body }) => [url, body?.type]),
    [['https://reports.example/v1', 'application/tlsrpt+gzip']],
  )
  assert.equal(await dkimResult(report.raw, key.publicKey), 'pass')

  await send()
  assert.equal(posted.length, 1, 'once')
  assert.deepEqual(await opened.store.db.selectFrom('tls_results').selectAll().execute(), [])
})

async function dkimResult(raw: Uint8Array, publicKey: Uint8Array): Promise<string | undefined> {
  const part = parsePart(raw)
  const begun = beginAuthentication(part.fields)
  begun.bodies.write(bodyOf(part))
  begun.bodies.end()
  const record = `k=ed25519; p=${Buffer.from(publicKey).toString('base64')}`
  const ask: DnsAsk = () => Promise.resolve({ kind: 'records', records: [record] as never[], secure: false })
  const { dkim } = await finishAuthentication(begun, { ip: '', mailFrom: '', helo: '' }, { ask, nowMs: 0 })
  return dkim[0]?.result
}

test('without a DKIM key no mail goes out; a name server in trouble is asked again, for three days', async (t) => {
  const opened = await openSqliteStore(t)
  const unsigned = await reporting(opened, ['v=TLSRPTv1;rua=mailto:tls@reports.example'])
  const troubled = await reporting(opened, 'trouble')
  const left = () => opened.store.db.selectFrom('tls_results').selectAll().execute()
  await troubled.add({ ...sts, result: 'success' })
  opened.clock.now += DAY_MS
  await troubled.send()
  assert.equal((await left()).length, 1)
  await unsigned.send()
  assert.deepEqual([await unsigned.queued(), await left()], [[], []])
  await troubled.add({ ...sts, result: 'success' })
  opened.clock.now += 4 * DAY_MS
  await troubled.send()
  assert.deepEqual(await left(), [])
})

test('a report that its server does not take is sent again for a day, the same each time; then it is dropped', async (t) => {
  const opened = await openSqliteStore(t)
  let up = false
  const { add, send, posted } = await reporting(opened, ['v=TLSRPTv1;rua=https://reports.example/v1'], () => up)
  const left = async (): Promise<number> =>
    (await opened.store.db.selectFrom('tls_results').selectAll().execute()).length
  await add({ ...sts, result: 'success' })
  opened.clock.now += DAY_MS
  await send()
  assert.deepEqual([posted.length, await left()], [1, 1])
  up = true
  await send()
  assert.deepEqual([posted.length, await left()], [2, 0])
  const reports = posted.map(({ body }) => JSON.parse(gunzipSync(body?.bytes ?? '').toString()) as object)
  assert.deepEqual(reports[0], reports[1])
  up = false
  await add({ ...sts, result: 'success' })
  opened.clock.now += 2 * DAY_MS
  await send()
  assert.deepEqual([posted.length, await left()], [3, 0])
})
