import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startScriptedDns, type DnsTable } from '../../test/support/scripted-dns.ts'
import { deliver, mail, pieces, BODY, text } from '../../test/support/relay-bench.ts'
import { startScriptedSmtp } from '../../test/support/scripted-smtp.ts'
import { createDnsClient } from '../base/dns-client.ts'
import { replyText } from '../protocol/smtp-reply.ts'
import { isLocalAddress, mailHostsOf, MX_HOSTS_MAX, MxResolver, type MxOptions, type MxRecord } from './mx.ts'

const options: MxOptions = {
  ownNames: ['us.example'],
  isOwnAddress: (address) => address === '192.0.2.66',
  ask: () => Promise.resolve({ kind: 'trouble', why: 'nobody was to be asked' }),
  hostsFile: true,
  random: () => 0.5,
  allowLocalAddresses: false,
}

const asking = (server: string, changes: Partial<MxOptions> = {}): MxResolver =>
  new MxResolver({ ...options, ask: createDnsClient({ server }), hostsFile: false, ...changes })

const lists: readonly [
  records: readonly (readonly [number, string])[],
  expected: readonly string[] | string,
  why: string,
][] = [
  [
    [
      [20, 'b.x'],
      [10, 'a.x'],
    ],
    ['a.x', 'b.x'],
    'by preference',
  ],
  [[[0, '']], '556 5.1.10 The domain x takes no mail (null MX)', 'RFC 7505 §3'],
  [
    [
      [0, ''],
      [10, 'a.x'],
    ],
    ['a.x'],
    'a null MX among others is none',
  ],
  [
    [
      [10, 'a.x'],
      [20, 'us.example'],
      [30, 'c.x'],
    ],
    ['a.x'],
    'RFC 5321 §5.1: we are in the list, so what is behind us is dropped',
  ],
  [
    [
      [10, 'a.x'],
      [10, 'us.example'],
    ],
    '554 5.4.6 Mail for x would loop back to this host',
    'RFC 5321 §5.1: our own preference as well',
  ],
  [[[10, 'us.example']], '554 5.4.6 Mail for x would loop back to this host', 'only us'],
  [
    [
      [10, 'a.x'],
      [20, 'a.x'],
    ],
    ['a.x'],
    'one host twice is tried once',
  ],
]
for (const [records, expected, why] of lists)
  test(`MX list: ${why}`, () => {
    const hosts = mailHostsOf(
      'x',
      { records: records.map(([preference, exchange]): MxRecord => ({ preference, exchange })), secure: false },
      options,
    )
    assert.deepEqual(hosts.kind === 'hosts' ? hosts.names.flat() : replyText(hosts.reply), expected)
  })

test('equals are shuffled (RFC 5321 §5.1), preferences are not', () => {
  const records = ['a', 'b', 'c', 'd']
    .map((exchange) => ({ preference: 10, exchange }))
    .concat([{ preference: 1, exchange: 'first' }])
  const orders = new Set<string>()
  for (let i = 0; i < 200; i++) {
    const hosts = mailHostsOf('x', { records, secure: false }, { ...options, random: Math.random })
    assert.ok(hosts.kind === 'hosts' && hosts.names[0]?.[0] === 'first')
    orders.add(hosts.names.flat().join(' '))
  }
  assert.ok(orders.size > 10)
})

test('a list of any length is cut', () => {
  const records = Array.from({ length: 1000 }, (_, i) => ({ preference: i, exchange: `h${i}.x` }))
  const hosts = mailHostsOf('x', { records, secure: false }, options)
  assert.ok(hosts.kind === 'hosts' && hosts.names.flat().length === MX_HOSTS_MAX)
})

const locals: readonly [address: string, local: boolean][] = [
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['0.0.0.0', true],
  ['169.254.169.254', true],
  ['255.255.255.255', true],
  ['::1', true],
  ['::', true],
  ['fe80::1', true],
  ['::ffff:127.0.0.1', true],
  ['192.0.2.1', false],
  ['10.0.0.1', false],
  ['2001:db8::1', false],
]
for (const [address, local] of locals)
  test(`${address} is ${local ? '' : 'not '}this host or link`, () => assert.equal(isLocalAddress(address), local))

const table: DnsTable = {
  mx: {
    'two.example': [
      [20, 'Second.Example.'],
      [10, 'first.example'],
    ],
    'null.example': [[0, '.']],
    'dangling.example': [[10, 'gone.example']],
  },
  a: {
    'plain.example': ['192.0.2.7'],
    'first.example': ['192.0.2.1', '127.0.0.1'],
    'local.example': ['127.0.0.1'],
    'ours.example': ['192.0.2.66'],
  },
  broken: ['broken.example'],
}

const lookUps: readonly [domain: string, expected: string, why: string][] = [
  ['two.example', 'first.example second.example', 'names compare in lower case'],
  ['plain.example', 'plain.example', 'no MX: the domain itself'],
  ['null.example', '556 5.1.10 The domain null.example takes no mail (null MX)', 'RFC 7505'],
  ['nowhere.example', '550 5.1.2 There is no domain nowhere.example', 'permanent'],
  ['broken.example', '451 4.4.3 DNS does not answer for broken.example: SERVFAIL', 'temporary'],
]
for (const [domain, expected, why] of lookUps)
  test(`DNS, ${domain}: ${why}`, async () => {
    await using dns = await startScriptedDns(table)
    const hosts = await asking(dns.resolver).mailHosts(domain)
    assert.equal(hosts.kind === 'hosts' ? hosts.names.flat().join(' ') : replyText(hosts.reply), expected)
  })

const hosts: readonly [host: string, expected: string, why: string][] = [
  ['first.example', '192.0.2.1', 'loopback is left out'],
  [
    'local.example',
    '550 5.4.4 Mail host local.example has only addresses that mean "this host"',
    'nobody makes us talk to ourselves',
  ],
  [
    'ours.example',
    '554 5.4.6 Mail for ours.example would loop back to this host',
    'an address of ours by another name',
  ],
  ['gone.example', '550 5.4.4 Mail host gone.example has no address', 'dangling'],
  ['broken.example', '451 4.4.3 DNS does not answer for broken.example: SERVFAIL', 'temporary'],
  ['192.0.2.9', '192.0.2.9', 'a literal is its own address'],
]
for (const [host, expected, why] of hosts)
  test(`addresses of ${host}: ${why}`, async () => {
    await using dns = await startScriptedDns(table)
    const found = await asking(dns.resolver).addresses(host)
    assert.equal(found.kind === 'addresses' ? found.addresses.join(' ') : replyText(found.reply), expected)
  })

test('a host that is down leaves the mail to the next one; the mail arrives', async () => {
  await using up = await startScriptedSmtp({})
  await using dns = await startScriptedDns({
    mx: {
      'b.example': [
        [10, 'down.example'],
        [15, 'gone.example'],
        [20, 'up.example'],
      ],
    },
    a: { 'down.example': ['127.0.0.2'], 'up.example': ['127.0.0.1'] },
  })
  const resolver = asking(dns.resolver, { ownNames: [], allowLocalAddresses: true })
  const failed: string[] = []
  const events = { sessionOpened: () => {}, hostFailed: ({ host }: { host: string }) => void failed.push(host) }
  const content = (): AsyncIterable<Uint8Array> => pieces(BODY, 100)
  const [result] = await deliver(up.port, mail(), content, { routes: new Map(), resolver, mxPort: up.port, events })
  assert.equal(result?.outcome, 'delivered', text(result))
  assert.equal(result?.remote, 'up.example')
  assert.deepEqual(failed, ['down.example'])
})

test('a name server that does not answer puts the mail off', async () => {
  await using dns = await startScriptedDns({ broken: ['b.example'] })
  const resolver = asking(dns.resolver, { ownNames: [], allowLocalAddresses: true })
  const [result] = await deliver(1, mail(), undefined, { routes: new Map(), resolver })
  assert.equal(result?.outcome, 'deferred')
  assert.match(text(result), /^451 4\.4\.3/)
})

test('a configured next hop may be a name in the hosts file; one that does not resolve puts the mail off', async () => {
  const resolver = new MxResolver(options)
  const found = await resolver.nextHopAddresses('localhost')
  assert.ok(found.kind === 'addresses' && found.addresses.length > 0)
  await using dns = await startScriptedDns({})
  const none = await asking(dns.resolver).nextHopAddresses('smarthost.example')
  assert.equal(none.kind, 'deferred')
})

const loops: readonly [
  mx: readonly (readonly [number, string])[],
  expected: RegExp,
  tried: readonly string[],
  why: string,
][] = [
  [
    [
      [10, 'ours.example'],
      [20, 'up.example'],
    ],
    /^554 5\.4\.6 /,
    [],
    'what is behind us is not asked',
  ],
  [
    [
      [10, 'ours.example'],
      [10, 'up.example'],
    ],
    /^554 5\.4\.6 /,
    [],
    'nor our equals',
  ],
  [
    [
      [10, 'down.example'],
      [20, 'ours.example'],
    ],
    /^451 4\.4\.1 /,
    ['down.example'],
    'who is better may be back soon',
  ],
  [
    [
      [10, 'up.example'],
      [20, 'ours.example'],
    ],
    /^250 /,
    [],
    'who is better takes it',
  ],
]
for (const [mx, expected, tried, why] of loops)
  test(`RFC 5321 §5.1, an MX record leads to our own address: ${why}`, async () => {
    await using up = await startScriptedSmtp({})
    const a = { 'ours.example': ['127.0.0.9'], 'up.example': ['127.0.0.1'], 'down.example': ['127.0.0.2'] }
    await using dns = await startScriptedDns({ mx: { 'b.example': mx }, a })
    const isOwnAddress = (address: string): boolean => address === '127.0.0.9'
    const resolver = asking(dns.resolver, { ownNames: [], isOwnAddress, allowLocalAddresses: true })
    const failed: string[] = []
    const events = { sessionOpened: () => {}, hostFailed: ({ host }: { host: string }) => void failed.push(host) }
    const changes = { routes: new Map(), resolver, mxPort: up.port, events }
    const [result] = await deliver(up.port, mail(), () => pieces(BODY, 100), changes)
    assert.match(text(result), expected)
    assert.deepEqual(failed, tried)
  })
