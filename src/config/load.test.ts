import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseDomain, type Domain } from '../message/address.ts'
import { formatProblem, loadConfig, parseConfig, variableOf, type Config } from './load.ts'
import { inboundPolicyFor, outboundPolicyFor } from './policy-settings.ts'

const FILE = '/etc/sealpost/sealpost.yaml'

function config(text: string, environment: Record<string, string> = {}): Config {
  const parsed = parseConfig(text, FILE, environment)
  if (!parsed.ok) assert.fail(parsed.error.map(formatProblem).join('\n'))
  return parsed.value
}

function domain(text: string): Domain {
  const parsed = parseDomain(text)
  assert.ok(parsed)
  return parsed
}

test('only domains must be given', () => {
  const { domains, hostname, dataDir, tls, listeners, limits } = config('domains: [ABC.com]')
  assert.deepEqual(domains, ['abc.com'])
  assert.equal(hostname, 'mail.abc.com')
  assert.equal(dataDir, '/etc/sealpost')
  assert.equal(tls.key, '/etc/sealpost/tls-key.pem')
  assert.deepEqual(
    Object.values(listeners).map((listener) => listener?.port),
    [25, 587, 465, 110, 995, undefined, 8080],
  )
  assert.equal(limits.messageSizeMaxBytes, 50 * 2 ** 20)
})

test('the environment wins over the file', () => {
  const text = 'domains: [abc.com]\nlisteners: { mx: { host: 127.0.0.1, port: 2525 } }'
  const read = config(text, {
    SEALPOST_LISTENERS_MX_PORT: '0',
    SEALPOST_LISTENERS_POP3: 'null',
    SEALPOST_DATA_DIR: '/var/lib/sealpost',
    SEALPOST_PEERS: '[nec.co.us, BIGLOBE.ne.jp]',
    SEALPOST_MASTER_KEY: 'is not a setting',
  })
  assert.deepEqual(read.listeners.mx, { host: '127.0.0.1', port: 0, proxyProtocol: [], trustedProxies: [] })
  assert.equal(read.listeners.pop3, null)
  assert.equal(read.dataDir, '/var/lib/sealpost')
  assert.deepEqual(read.peers, ['nec.co.us', 'biglobe.ne.jp'])
})

test('a setting has one name in the environment', () => {
  assert.equal(variableOf('limits.messageSizeMaxBytes'), 'SEALPOST_LIMITS_MESSAGE_SIZE_MAX_BYTES')
  assert.equal(variableOf('listeners.pop3s.port'), 'SEALPOST_LISTENERS_POP3S_PORT')
})

test('routes are kept by domain in lower case', () => {
  const { relay } = config("domains: [a.b]\nrelay: { routes: { ABC.com: '127.0.0.1:2525', '*': 'smart.example' } }")
  assert.deepEqual({ ...relay.routes }, { 'abc.com': '127.0.0.1:2525', '*': 'smart.example' })
})

const wrong: readonly [text: string, problems: readonly string[], why: string][] = [
  ['', ['sealpost.yaml: domains: is missing; write a list'], 'an empty file'],
  ['- abc.com', ['sealpost.yaml: holds no settings; write lines like "domains: [example.org]"'], 'a list'],
  ['domains: []', ['sealpost.yaml:1: domains: needs one domain at least'], 'no domain'],
  ['domains: abc.com', ['sealpost.yaml:1: domains: cannot be "abc.com"; write a list'], 'text for a list'],
  [
    'domains: [a b]',
    ['sealpost.yaml:1: domains.0: "a b" is no domain name; write one like example.org'],
    'a blank in a domain',
  ],
  ['domains: [a.b]\npeers: []\npeers: []', ['sealpost.yaml:3: Map keys must be unique'], 'a setting given twice'],
  [
    'domains: [a.b]\n\nlisteners:\n  mx: { port: 65536 }\n  smtp: {}',
    [
      'sealpost.yaml:4: listeners.mx.port: cannot be 65536; write a whole number from 0 to 65535',
      'sealpost.yaml:5: listeners.smtp: there is no such setting; here can be mx, submission, submissions, pop3, pop3s, https, http',
    ],
    'several mistakes at once, each with its line',
  ],
  [
    'domains: [a.b]\nkeys:\n  algorithm: rsa-1024',
    ['sealpost.yaml:3: keys.algorithm: cannot be "rsa-1024"; write rsa-2048, '],
    'a word that is not on the list',
  ],
  [
    'domains: [a.b]\nlimits: { messageSizeMaxBytes: 50MB }',
    ['sealpost.yaml:2: limits.messageSizeMaxBytes: cannot be "50MB"; write a whole number from 65536 to 17179869184'],
    'a unit in the value',
  ],
  [
    `${bucketOf()}limits: { messageSizeMaxBytes: ${2 ** 31 + 1} }`,
    [
      'sealpost.yaml:4: limits.messageSizeMaxBytes: is too much for store.bucket, where a message is one object; write 2147',
    ],
    'a message that is no object any more',
  ],
  ['domains: [a.b]\ntls: 5', ['sealpost.yaml:2: tls: cannot be 5'], 'a value for a section'],
  [
    "domains: [a.b]\nrelay:\n  routes:\n    c.d: 'x y'\n    'e f': 'h:1'",
    [
      'sealpost.yaml:4: relay.routes.c.d: is no next hop; write host:port, or [IPv6 address]:port',
      `sealpost.yaml:5: relay.routes.e f: "e f" is no domain name; write one like example.org, or '*'`,
    ],
    'routes',
  ],
  [
    'domains: [a.b]\npolicy:\n  perDomain:\n    c.d:\n      noKey: maybe\n      encryptToSender: true',
    [
      'sealpost.yaml:5: policy.perDomain.c.d.noKey: cannot be "maybe"; write auto, prefer, require',
      'sealpost.yaml:6: policy.perDomain.c.d.encryptToSender: there is no such setting',
    ],
    'policy of one domain',
  ],
  ['domains: [a.b]\nx: &a [*a]', ['sealpost.yaml:2: x: there is no such setting'], 'a loop in the file'],
  ['domains: [a.b', ['sealpost.yaml:1: '], 'no YAML'],
]

for (const [text, problems, why] of wrong)
  test(`refused: ${why}`, () => {
    const parsed = parseConfig(text, FILE, {})
    assert.ok(!parsed.ok)
    const said = parsed.error.map(formatProblem)
    assert.equal(said.length, problems.length, said.join('\n'))
    for (const [at, problem] of problems.entries()) assert.ok(said[at]?.startsWith(problem), said[at] ?? problem)
  })

function bucketOf(): string {
  const bucket = '{ endpoint: https://s3.example, name: mail, accessKeyId: AK, secretKeyFile: s }'
  return `domains: [a.b]\nstore:\n  { url: postgres://u@h/d, bucket: ${bucket} }\n`
}

test('the largest message that a bucket takes is allowed', () => {
  const parsed = parseConfig(`${bucketOf()}limits: { messageSizeMaxBytes: ${2 ** 31} }`, FILE, {})
  assert.ok(parsed.ok)
})

test('a mistake in the environment names the variable', () => {
  const parsed = parseConfig('domains: [a.b]', FILE, { SEALPOST_LOG_LEVEL: 'loud', SEALPOST_DATA_DIR: '[' })
  assert.ok(!parsed.ok)
  const said = parsed.error.map(formatProblem)
  assert.ok(
    said.includes('SEALPOST_LOG_LEVEL: log.level: cannot be "loud"; write debug, info, warn, error'),
    said.join(),
  )
  assert.ok(said.some((line) => line.startsWith('SEALPOST_DATA_DIR: dataDir: cannot be set')))
})

test('a file that is not there is named', async () => {
  const missing = await loadConfig('/nowhere/sealpost.yaml', {})
  assert.ok(!missing.ok && missing.error.includes('/nowhere/sealpost.yaml'))
})

test('a file is read', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-config-'))
  t.after(() => rm(dir, { recursive: true }))
  await writeFile(join(dir, 'sealpost.yaml'), '# ours\ndomains: [abc.com]\ndataDir: data\n')
  const read = await loadConfig(join(dir, 'sealpost.yaml'), {})
  assert.ok(read.ok)
  assert.equal(read.value.dataDir, join(dir, 'data'))
})

test('policy: own domains and peers are surrogates; one domain may differ', () => {
  const settings = config(
    'domains: [abc.com]\npeers: [nec.co.us]\npolicy: { cipher: aes-256-gcm, onTampered: discard, perDomain: { Example.org: { noKey: require, onTampered: quarantine, cipher: auto } } }',
  )
  assert.equal(outboundPolicyFor(settings, domain('abc.com')).surrogate, true)
  assert.equal(outboundPolicyFor(settings, domain('nec.co.us')).surrogate, true)
  const other = outboundPolicyFor(settings, domain('example.org'))
  assert.equal(other.surrogate, false)
  assert.equal(other.noKey, 'require')
  assert.deepEqual(other.encryption, {})
  assert.deepEqual(outboundPolicyFor(settings, domain('abc.com')).encryption, { cipher: 'aes-256-gcm' })
  assert.equal(outboundPolicyFor(settings, domain('nec.co.us')), outboundPolicyFor(settings, domain('abc.com')))
  assert.notEqual(outboundPolicyFor(config('domains: [abc.com]'), domain('nec.co.us')).surrogate, true, 'another file')
  assert.equal(inboundPolicyFor(settings, domain('abc.com')).onTampered, 'discard')
  assert.equal(inboundPolicyFor(settings, domain('example.org')).onTampered, 'quarantine')
})

/** What `outboundPolicyFor` gives that a profile has a say in. */
function protection(text: string) {
  const { noKey, recipientKeys, encryption, weakestCipher, signing } = outboundPolicyFor(
    config(`domains: [abc.com]\npolicy: ${text}`),
    domain('x.example'),
  )
  return { noKey, recipientKeys, ...encryption, weakestCipher, signature: signing.signature, digest: signing.digest }
}

test('a profile sets what is left at auto, and each value can be set by itself', () => {
  const learning = protection('{}')
  assert.deepEqual([learning.noKey, learning.recipientKeys, learning.cipher], ['prefer', 'both', undefined])
  const bdew = protection('{ profile: bdew }')
  assert.deepEqual(
    [bdew.noKey, bdew.cipher, bdew.keyTransport, bdew.signature, bdew.digest],
    ['require', 'aes-256-cbc', 'rsa-oaep', 'rsa-pss', 'sha256'],
  )
  assert.equal(protection('{ profile: bdew, cipher: aes-256-gcm }').cipher, 'aes-256-gcm')
  assert.equal(protection('{ profile: bdew, noKey: prefer }').noKey, 'prefer')
  assert.equal(protection('{ profile: pq }').recipientKeys, 'post-quantum')
  assert.equal(protection('{ profile: pq, recipientKeys: both }').recipientKeys, 'both')
})

test('the profile of a domain comes before what is set for all domains, single values of the domain before both', () => {
  const forDomain = (values: string) =>
    protection(`{ profile: modern, cipher: aes-128-cbc, perDomain: { x.example: ${values} } }`)
  assert.equal(forDomain('{}').cipher, 'aes-128-cbc')
  assert.equal(forDomain('{ cipher: auto }').cipher, 'aes-256-gcm')
  assert.deepEqual(
    [forDomain('{ profile: bdew }').cipher, forDomain('{ profile: bdew }').noKey],
    ['aes-256-cbc', 'require'],
  )
  assert.equal(forDomain('{ profile: default }').cipher, undefined)
  assert.equal(forDomain('{ profile: default, digest: sha512 }').digest, 'sha512')
  assert.equal(forDomain('{ profile: default }').signature, undefined)
})
