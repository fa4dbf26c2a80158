/** A name server that lies, stutters and falls silent, asked by the real server for the mail hosts of recipients' domains. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type DnsLie, type DnsTable, type ScriptedDns, startScriptedDns } from '../support/scripted-dns.ts'
import { type ScriptedSmtp, startScriptedSmtp } from '../support/scripted-smtp.ts'
import { type Became, Field, type Sent, takenBy } from './field.ts'

/** Where mail hosts of the Internet are in this test: see hurry-preload.ts. */
const HOST = '192.0.2.1'
const HOST_V6 = '2001:0db8:0000:0000:0000:0000:0000:0001'
const SILENT = /^451 4\.4\.3 DNS does not answer for .*: the name server does not answer$/
const HERE = /^550 5\.4\.4 Mail host .* has only addresses that mean "this host"$/

interface Fault {
  readonly why: string
  readonly first: Became['event']
  readonly says: RegExp
  /** Of the recipient's domain; one good host when missing. */
  readonly mx?: readonly (readonly [preference: number, exchange: string])[]
  readonly lie?: DnsLie
}

const waits = (why: string, lie: DnsLie, says = SILENT): Fault => ({ why, first: 'deferred', says, lie })
const delivered = (why: string, more: Partial<Fault>): Fault => ({ why, first: 'delivered', says: /^250/, ...more })
const returned = (why: string, says: RegExp, more: Partial<Fault>): Fault => ({ why, first: 'returned', says, ...more })

const FAULTS: readonly Fault[] = [
  delivered('the truth', {}),
  delivered('a host with an IPv6 address only', { mx: [[5, 'v6.host.example']] }),
  delivered('the truth after 3 s', { lie: { slowMs: 3_000 } }),
  delivered('somebody guesses before the truth comes', {
    lie: { udp: (truth) => [otherId(truth), otherName(truth), Buffer.from('guess'), truth] },
  }),
  delivered('MX records for 64 kB', {
    mx: Array.from({ length: 1_800 }, (_, i) => [i + 1, i === 0 ? 'good.host.example' : `h${i}.host.example`]),
    lie: { udp: (truth) => [truncated(truth)], tcp: (connection, truth) => connection.write(withLength(truth)) },
  }),
  waits('silence', { udp: () => [] }),
  waits('another id', { udp: (truth) => [otherId(truth)] }),
  waits('another question', { udp: (truth) => [otherName(truth)] }),
  waits('the question in place of an answer', { udp: (truth) => [asQuery(truth)] }),
  waits('half of an answer', { udp: (truth) => [truth.subarray(0, truth.length - 9)] }),
  waits('a name that points to itself', { udp: (truth) => [pointingToItself(truth)] }),
  waits('nothing but noise', { udp: () => [Buffer.alloc(400, 0xff), Buffer.alloc(0), Buffer.alloc(11)] }),
  waits('cut off, and then silence over TCP', { udp: (truth) => [truncated(truth)], tcp: () => {} }),
  waits(
    'cut off, and then nobody there over TCP',
    { udp: (truth) => [truncated(truth)], tcp: (connection) => connection.resetAndDestroy() },
    /^451 4\.4\.3/,
  ),
  waits(
    'cut off, and then a length without an answer',
    { udp: (truth) => [truncated(truth)], tcp: (connection) => connection.end(Buffer.from([0xff, 0xff, 1, 2])) },
    /^451 4\.4\.3 .* the name server closed the connection$/,
  ),
  waits(
    'cut off, and then something else over TCP',
    { udp: (truth) => [truncated(truth)], tcp: (connection, truth) => connection.write(withLength(otherId(truth))) },
    /^451 4\.4\.3 .* the name server answers something else$/,
  ),
  waits('SERVFAIL', { udp: (truth) => [withCode(truth, 2)] }, /^451 4\.4\.3 .*: SERVFAIL$/),
  waits('REFUSED', { udp: (truth) => [withCode(truth, 5)] }, /^451 4\.4\.3 .*: REFUSED$/),
  returned('there is no such domain', /^550 5\.1\.2/, { lie: { udp: (truth) => [withCode(truth, 3)] } }),
  returned('a null MX (RFC 7505)', /^556 5\.1\.10/, { mx: [[0, '']] }),
  returned('ourselves', /^554 5\.4\.6/, { mx: [[1, 'mail.biglobe.ne.jp']] }),
  returned('a host on loopback', HERE, { mx: [[1, 'loop.host.example']] }),
  returned('a host on loopback, IPv6', HERE, { mx: [[1, 'loop6.host.example']] }),
  returned('a host on loopback, as IPv4 in IPv6', HERE, { mx: [[1, 'mapped.host.example']] }),
  returned('an address of loopback in place of a name', HERE, { mx: [[1, '127.0.0.1']] }),
  returned('a host that is an alias of itself', /^550 5\.4\.4 .* has no address$/, {
    mx: [[1, 'circle.host.example']],
  }),
]

const domainOf = (index: number): string => `d${index}.example`
const table = {
  mx: Object.fromEntries(FAULTS.map(({ mx = [[1, 'good.host.example']] }, index) => [domainOf(index), mx])),
  a: {
    'good.host.example': [HOST],
    'loop.host.example': ['127.0.0.1'],
    'circle.host.example': [],
  },
  aaaa: {
    'v6.host.example': [HOST_V6],
    'loop6.host.example': ['0000:0000:0000:0000:0000:0000:0000:0001'],
    'mapped.host.example': ['0000:0000:0000:0000:0000:ffff:7f00:0001'],
  },
  lies: {
    ...Object.fromEntries(FAULTS.flatMap(({ lie }, index) => (lie === undefined ? [] : [[domainOf(index), lie]]))),
    'circle.host.example': { udp: (truth) => [aliasOfItself(truth)] },
  } as Record<string, DnsLie>,
} satisfies DnsTable

let dns: ScriptedDns
let peer: ScriptedSmtp
let field: Field
const sent: Sent[] = []

before(async () => {
  dns = await startScriptedDns(table)
  peer = await startScriptedSmtp({})
  const known = FAULTS.map((_, index) => `suzuki@${domainOf(index)}`)
  const env = { TEST_SMTP_PORT: String(peer.port) }
  field = await Field.make({ config: { dns: { resolver: dns.resolver }, relay: { mtaSts: false } }, known, env })
  for (const to of known) sent.push(await field.send(to))
})

after(async () => {
  await field[Symbol.asyncDispose]()
  await peer.close()
  await dns[Symbol.asyncDispose]()
})

for (const [index, { why, first, says }] of FAULTS.entries())
  test(`${why}: ${first}`, async () => {
    const { event, reply } = await field.became(sent[index] as Sent)
    assert.equal(event, first, reply)
    assert.match(reply, says)
  })

test('then it tells the truth, and each mail is with somebody', async () => {
  for (const name of Object.keys(table.lies)) delete table.lies[name]
  await field.restart()
  await field.settle(takenBy([peer]), new Set())
})

function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes)
  change(copy)
  return copy
}

const otherId = (truth: Buffer): Buffer => changed(truth, (copy) => copy.writeUInt16BE(copy.readUInt16BE(0) ^ 1, 0))
/** The first letter of the name asked for. */
const otherName = (truth: Buffer): Buffer => changed(truth, (copy) => copy.write('x', 13))
const asQuery = (truth: Buffer): Buffer => changed(truth, (copy) => copy.writeUInt8(copy.readUInt8(2) & 0x7f, 2))
const withCode = (truth: Buffer, code: number): Buffer => changed(truth, (copy) => copy.writeUInt8(0x80 | code, 3))

/** The question alone, and the word that there is more (RFC 1035 §4.1.1). */
const truncated = (truth: Buffer): Buffer =>
  changed(question(truth), (copy) => copy.writeUInt8(copy.readUInt8(2) | 0x02, 2))

/** The owner of its one record is a pointer to that very pointer (RFC 1035 §4.1.4). */
function pointingToItself(truth: Buffer): Buffer {
  const asked = question(truth)
  asked.writeUInt16BE(1, 6)
  return Buffer.concat([asked, Buffer.from([0xc0, asked.length, 0, 15, 0, 1, 0, 0, 0, 1, 0, 2, 0, 0])])
}

/** One CNAME record, whose owner and target are the name asked for. */
function aliasOfItself(truth: Buffer): Buffer {
  const asked = question(truth)
  asked.writeUInt16BE(1, 6)
  return Buffer.concat([asked, Buffer.from([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 1, 0, 2, 0xc0, 12])])
}

/** Header and question, without answers. */
function question(truth: Buffer): Buffer {
  let at = 12
  while (truth.readUInt8(at) !== 0) at += 1 + truth.readUInt8(at)
  return changed(truth.subarray(0, at + 5), (copy) => copy.writeUInt16BE(0, 6))
}

function withLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}
