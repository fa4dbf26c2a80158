/** `sealpost doctor`: a signed zone that is right, one that is wrong, and what can be wrong on the machine itself. */
import assert from 'node:assert/strict'
import { X509Certificate, createHash } from 'node:crypto'
import { chmod, readFile } from 'node:fs/promises'
import { type AddressInfo, type Server, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Provider, makeProvider, runSealpost } from '../support/provider.ts'
import { type SignedDns, needsUnbound, startSignedDns } from '../support/signed-dns.ts'

const RIGHT = 'biglobe.example'
const WRONG = 'nec.example'
const HOST = `mail.${RIGHT}`
/** Asked of the name server of the test only; nobody connects to it. */
const ADDRESS = '11.0.0.1'

type Finding = Readonly<Record<'check' | 'level' | 'finding' | 'why' | 'remedy', string>>

describe('sealpost doctor', needsUnbound(), () => {
  let provider: Provider
  let dns: SignedDns
  let stranger: Server

  before(async () => {
    const listeners = { submissions: { proxyProtocol: ['127.0.0.0/8'] } }
    provider = await makeProvider({ domains: [RIGHT, WRONG], config: { listeners } })
    const keys = await provider.cli(['dkim', 'add', RIGHT, '--selector', 'one'])
    for (const { selector } of keys) await provider.cli(['dkim', 'use', RIGHT, String(selector), '--unchecked'])
    const published = String(keys.find(({ selector }) => selector === 'one-ed25519')?.['record'])
    const certificate = new X509Certificate(await readFile(join(home(), 'tls-certificate.pem')))
    const spki = certificate.publicKey.export({ format: 'der', type: 'spki' })
    dns = await startSignedDns([
      {
        name: RIGHT,
        records: [
          `@ MX 10 ${HOST}.`,
          `mail A ${ADDRESS}`,
          '@ TXT "v=spf1 mx -all"',
          '_dmarc TXT "v=DMARC1; p=reject"',
          'one-rsa._domainkey TXT "v=DKIM1; k=rsa; p="',
          `one-ed25519._domainkey TXT "${published}"`,
          `_25._tcp.mail TLSA 3 1 1 ${createHash('sha256').update(spki).digest('hex')}`,
        ],
      },
      {
        name: WRONG,
        state: 'unsigned',
        records: [
          '@ MX 10 mx.others.example.',
          '@ TXT "v=spf1 -all"',
          '_dmarc TXT "v=DMARC1; p=none"',
          '_mta-sts TXT "v=STSv1"',
        ],
      },
      { name: 'example', state: 'unsigned', records: [] },
      { name: 'arpa', records: [`1.0.0.11.in-addr PTR ${HOST}.`] },
    ])
    await provider.configure({ dns: { resolver: dns.resolver } })
    stranger = createServer((socket) => socket.end('SSH-2.0-stranger\r\n'))
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve))
  })
  after(async () => {
    stranger.close()
    await provider[Symbol.asyncDispose]()
    await dns[Symbol.asyncDispose]()
  })

  const home = (): string => dirname(provider.configFile)

  async function doctor(): Promise<{ readonly code: number; readonly findings: ReadonlyMap<string, Finding> }> {
    const args = ['doctor', '--config', provider.configFile, '--json']
    const { stdout, code } = await runSealpost(args).then(
      (words) => ({ stdout: words, code: 0 }),
      (error: { readonly stdout: string; readonly code: number }) => error,
    )
    const lines = stdout.split('\n').filter((line) => line !== '')
    const findings = lines.map((line) => JSON.parse(line) as Finding)
    return { code, findings: new Map(findings.map((each) => [each.check, each])) }
  }

  const levels = (findings: ReadonlyMap<string, Finding>, checks: readonly string[]): Record<string, string> =>
    Object.fromEntries(checks.map((check) => [check, findings.get(check)?.level ?? 'not looked at']))

  test('a domain whose records are right, and one whose records are wrong, with what to publish', async () => {
    await provider.start()
    const { code, findings } = await doctor()
    const expected = {
      'name server': 'ok',
      [`address of ${HOST}`]: 'hint', // no address of the machine that runs the test
      [`PTR of ${ADDRESS}`]: 'ok',
      [`MX of ${RIGHT}`]: 'ok',
      [`SPF of ${RIGHT}`]: 'ok',
      [`DKIM one-ed25519 of ${RIGHT}`]: 'ok',
      [`DMARC of ${RIGHT}`]: 'ok',
      [`MTA-STS of ${RIGHT}`]: 'hint',
      [`TLSA of ${HOST}`]: 'ok',
      [`MX of ${WRONG}`]: 'warning',
      [`SPF of ${WRONG}`]: 'broken',
      [`DKIM one-rsa of ${RIGHT}`]: 'broken',
      [`DKIM of ${WRONG}`]: 'warning',
      [`DMARC of ${WRONG}`]: 'hint',
      [`MTA-STS of ${WRONG}`]: 'hint',
      'TLS certificate: names': 'ok',
      'TLS certificate: end': 'ok',
      'TLS certificate: chain': 'warning',
      [`permissions of ${join(home(), 'master.key')}`]: 'ok',
      [`authority of ${RIGHT}`]: 'ok',
      database: 'ok',
      queue: 'ok',
      ...Object.fromEntries(Object.entries(provider.ports).map(([name, port]) => [`port ${port} (${name})`, 'ok'])),
    }
    assert.deepEqual(levels(findings, Object.keys(expected)), expected)
    assert.equal(code, 1)
    assert.match(findings.get(`MX of ${WRONG}`)?.remedy ?? '', /nec\.example\. MX 10 mail\.biglobe\.example\./)
    assert.match(
      findings.get(`DKIM one-rsa of ${RIGHT}`)?.remedy ?? '',
      /one-rsa\._domainkey\.biglobe\.example\. TXT "v=DKIM1; k=rsa; p=[A-Za-z0-9+/=]{300,}"/,
    )
    for (const { level, why, remedy } of findings.values())
      if (level !== 'ok') assert.ok(why.length > 0 && remedy.length > 0)
  })

  test('a port that somebody else has, one where nobody listens, and no TLS record for another certificate', async () => {
    const { port } = stranger.address() as AddressInfo
    await provider.configure({
      listeners: { pop3: { port } },
      hostname: 'mx.nec.example',
      mailboxes: { lmtp: `127.0.0.1:${port}` },
    })
    const { code, findings } = await doctor()
    assert.deepEqual(
      levels(findings, [
        `port ${port} (pop3)`,
        `mail store 127.0.0.1:${port}`,
        'TLS certificate: names',
        'address of mx.nec.example',
        `TLSA of mx.nec.example`,
      ]),
      {
        [`port ${port} (pop3)`]: 'broken',
        [`mail store 127.0.0.1:${port}`]: 'broken',
        'TLS certificate: names': 'broken',
        'address of mx.nec.example': 'broken',
        'TLSA of mx.nec.example': 'hint',
      },
    )
    assert.equal(code, 1)
    const listeners = { pop3: { port: provider.ports.pop3 } }
    await provider.configure({ listeners, hostname: HOST, mailboxes: { lmtp: null } })
  })

  test('the server is down, the master key is open to others, the name server too is silent', async () => {
    await provider.stop()
    const key = join(home(), 'master.key')
    await chmod(key, 0o644)
    await provider.configure({ dns: { resolver: '127.0.0.1:1' } })
    const { code, findings } = await doctor()
    const checks = ['ports', `permissions of ${key}`, 'database', 'name server', `MX of ${RIGHT}`]
    assert.deepEqual(levels(findings, checks), {
      ports: 'warning',
      [`permissions of ${key}`]: 'broken',
      database: 'broken',
      'name server': 'broken',
      [`MX of ${RIGHT}`]: 'warning',
    })
    assert.equal(findings.get(`permissions of ${key}`)?.remedy, `chmod go-rwx ${key}`)
    assert.equal(code, 1)
    await chmod(key, 0o600)
    await provider.configure({ dns: { resolver: dns.resolver } })
  })

  test('for people: a table, then why and what to do; with nothing broken the exit status is 0', async () => {
    await provider.configure({ domains: [RIGHT] })
    await provider.cli(['dkim', 'retire', RIGHT, 'one-rsa'])
    const text = await runSealpost(['doctor', '--config', provider.configFile])
    assert.match(text, /^LEVEL +CHECK +FINDING\nwarning +ports +nobody listens/)
    assert.match(text, /\n\nports\n {2}why {2}No mail comes in here.*\n {2}do {3}systemctl start sealpost/)
    assert.doesNotMatch(text, /^ok/m)
  })
})
