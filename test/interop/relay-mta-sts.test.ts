/** MTA-STS (RFC 8461): a domain's policy is fetched over HTTPS, obeyed, and kept when it cannot be fetched any more. */
import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { before, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { createDnsClient } from '../../src/base/dns-client.ts'
import { createTlsCertificate } from '../../src/keys/certificate-authority.ts'
import { createFetch } from '../../src/keys/http-fetch.ts'
import { networkList } from '../../src/keys/public-address.ts'
import { MxResolver } from '../../src/relay/mx.ts'
import { StsPolicies } from '../../src/relay/sts-policies.ts'
import { openSqliteStore, type Opened } from '../../src/store/conformance/fixture.ts'
import { deliver, mail, pieces, BODY, text } from '../support/relay-bench.ts'
import { startScriptedSmtp, type ScriptedSmtp, type SmtpScript } from '../support/scripted-smtp.ts'
import { needsUnbound, startSignedDns } from '../support/signed-dns.ts'

const UNBOUND = needsUnbound()
const nowMs = Date.now()
const web = await createTlsCertificate({ hosts: ['mta-sts.b.example'], nowMs })
const good = await createTlsCertificate({ hosts: ['mx.b.example'], nowMs })
const wrong = await createTlsCertificate({ hosts: ['elsewhere.example'], nowMs })

before(() => setDefaultCACertificates([...getCACertificates('bundled'), web.certificatePem]))

const policy = (mode: string, mx = 'mx.b.example'): string =>
  `version: STSv1\nmode: ${mode}\nmx: ${mx}\nmax_age: 86400\n`
const over = ({ certificatePem, keyPem }: typeof good): SmtpScript => ({
  ehlo: ['STARTTLS'],
  tls: { cert: certificatePem, key: keyPem },
})

const cases: readonly [why: string, serve: string | RequestListener, host: SmtpScript, expected: string][] = [
  ['enforced', policy('enforce'), over(good), 'delivered, proven'],
  ['enforced, by a wildcard', policy('enforce', '*.b.example'), over(good), 'delivered, proven'],
  ['enforced, and a certificate of somebody else', policy('enforce'), over(wrong), 'No TLS with mx.b.example'],
  ['enforced, and no TLS, as if somebody had hidden it', policy('enforce'), {}, '502 5.5.1 No TLS here'],
  ['enforced, and a host that it does not name', policy('enforce', 'mx.c.example'), over(good), 'does not name it'],
  ['only tested', policy('testing', 'mx.c.example'), over(wrong), 'delivered'],
  ['given up', policy('none'), {}, 'delivered'],
  ['no policy after all', 'nothing here', over(wrong), 'delivered'],
  ['sent elsewhere', (_request, response) => redirect(response), over(wrong), 'delivered'],
]

for (const [why, serve, script, expected] of cases)
  test(`MTA-STS, ${why}: ${expected}`, UNBOUND, async (t) => {
    await using site = await startSite(serve)
    await using server = await startScriptedSmtp(script)
    await using dns = await startSignedDns([zone('1')])
    const said = await attempt(server, dns.resolver, await openSqliteStore(t), site.port)
    if (expected.startsWith('delivered')) assert.equal(said, expected)
    else assert.ok(said.includes(expected), said)
  })

test(
  'MTA-STS: a policy that was had is obeyed until it runs out, whoever takes record and site away',
  UNBOUND,
  async (t) => {
    const opened = await openSqliteStore(t)
    await using server = await startScriptedSmtp(over(wrong))
    const refused = 'No TLS with mx.b.example'
    let port = 1
    {
      await using site = await startSite(policy('enforce'))
      await using dns = await startSignedDns([zone('1')])
      ;({ port } = site)
      assert.ok((await attempt(server, dns.resolver, opened, port)).includes(refused))
    }
    const later = async (id: string | undefined): Promise<string> => {
      await using dns = await startSignedDns([zone(id)])
      return await attempt(server, dns.resolver, opened, port)
    }
    assert.ok((await later(undefined)).includes(refused), 'no record any more')
    assert.ok((await later('2')).includes(refused), 'a record, and no site')
    opened.clock.now += 86_400_000
    assert.equal(await later('1'), 'delivered')
  },
)

/** `delivered`, `proven` when the server's certificate was, or what was said. */
async function attempt(server: ScriptedSmtp, resolverAddress: string, opened: Opened, port: number): Promise<string> {
  const ask = createDnsClient({ server: resolverAddress })
  const fetch = createFetch({ allowed: networkList(['127.0.0.1/32']), resolver: resolverAddress })
  const { store, clock } = opened
  const sts = new StsPolicies({ store, clock, ask, fetch, port })
  const before = server.messages.length
  let proven = false
  const [result] = await deliver(server.port, mail(), () => pieces(BODY, 100), {
    routes: new Map(),
    resolver: new MxResolver({
      ownNames: [],
      isOwnAddress: () => false,
      ask,
      hostsFile: false,
      random: Math.random,
      allowLocalAddresses: true,
    }),
    stsPolicy: (domain) => sts.policyOf(domain),
    anchorsPem: [good.certificatePem],
    mxPort: server.port,
    events: { sessionOpened: (session) => void (proven = session.tls?.verified === true), hostFailed: () => {} },
  })
  assert.equal(server.messages.length - before, result?.outcome === 'delivered' ? 1 : 0)
  if (result?.outcome === 'delivered') assert.equal(result.hop?.verified === 'mta-sts', proven)
  return result?.outcome === 'delivered' ? `delivered${proven ? ', proven' : ''}` : text(result)
}

const zone = (id: string | undefined): Parameters<typeof startSignedDns>[0][number] => ({
  name: 'b.example',
  state: 'unsigned',
  records: [
    '@ MX 10 mx',
    'mx A 127.0.0.1',
    'mta-sts A 127.0.0.1',
    ...(id === undefined ? [] : [`_mta-sts TXT "v=STSv1; id=${id};"`]),
  ],
})

const redirect = (response: Parameters<RequestListener>[1]): void =>
  void response.writeHead(302, { location: '/elsewhere' }).end()

async function startSite(serve: string | RequestListener): Promise<{ readonly port: number } & AsyncDisposable> {
  const answer: RequestListener = (request, response) => {
    if (request.url === '/elsewhere') return void response.end(policy('enforce'))
    if (typeof serve !== 'string') return serve(request, response)
    return void response.end(request.url === '/.well-known/mta-sts.txt' ? serve : '')
  }
  const server = createServer({ cert: web.certificatePem, key: web.keyPem }, answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose](): Promise<void> {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
