/** A name server on loopback that answers from a table: MX, A, AAAA, TXT. One question; over TCP only lies. */
import { createSocket } from 'node:dgram'
import { createServer, type AddressInfo, type Socket } from 'node:net'

export interface DnsTable {
  readonly mx?: Readonly<Record<string, readonly (readonly [preference: number, exchange: string])[]>>
  readonly a?: Readonly<Record<string, readonly string[]>>
  /** All eight groups written out. */
  readonly aaaa?: Readonly<Record<string, readonly string[]>>
  readonly txt?: Readonly<Record<string, string>>
  /** Names that get SERVFAIL. */
  readonly broken?: readonly string[]
  /** What is done with the true answer to questions about a name. */
  readonly lies?: Readonly<Record<string, DnsLie>>
}

export interface DnsLie {
  /** What is sent in place of the true answer, one datagram after the other; after `slowMs`. */
  readonly udp?: (truth: Buffer) => readonly Uint8Array[]
  /** What is done with a question over TCP, whose answer begins with its length. */
  readonly tcp?: (connection: Socket, truth: Buffer) => void
  readonly slowMs?: number
}

export interface ScriptedDns extends AsyncDisposable {
  /** `address:port`, as `dns.resolver` takes it. */
  readonly resolver: string
}

const TYPE = { A: 1, MX: 15, TXT: 16, AAAA: 28 } as const
const RCODE = { none: 0, servfail: 2, nxdomain: 3 } as const

/** `wanted`: a port; 0 is a free one. */
export async function startScriptedDns(table: DnsTable, wanted = 0): Promise<ScriptedDns> {
  const socket = createSocket('udp4')
  socket.on('message', (query, peer) => {
    const lie = table.lies?.[questionName(query).name]
    const truth = answer(table, query)
    setTimeout(() => {
      for (const said of lie?.udp?.(truth) ?? [truth]) socket.send(said, peer.port, peer.address)
    }, lie?.slowMs ?? 0)
  })
  const connections = new Set<Socket>()
  const server = createServer((connection) => {
    connections.add(connection)
    connection.on('error', () => connection.destroy())
    connection.once('data', (bytes: Buffer) => {
      const query = bytes.subarray(2)
      table.lies?.[questionName(query).name]?.tcp?.(connection, answer(table, query))
    })
  })
  await new Promise<void>((resolve) => server.listen(wanted, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve))
  return {
    resolver: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const connection of connections) connection.destroy()
      await new Promise((resolve) => server.close(resolve))
      await new Promise<void>((resolve) => socket.close(resolve))
    },
  }
}

function answer(table: DnsTable, query: Buffer): Buffer {
  const { name, end } = questionName(query)
  const type = query.readUInt16BE(end)
  const known = [table.mx, table.a, table.aaaa, table.txt].some((rows) => rows?.[name] !== undefined)
  const rcode = table.broken?.includes(name) ? RCODE.servfail : known ? RCODE.none : RCODE.nxdomain
  const data = rcode === RCODE.none ? records(table, name, type) : []
  const header = Buffer.from(query.subarray(0, 12))
  header.writeUInt16BE(0x8180 | rcode, 2) // response, recursion wanted and available
  header.writeUInt16BE(data.length, 6)
  header.fill(0, 8)
  const rows = data.flatMap((rdata) => [record(type, rdata.length), rdata])
  return Buffer.concat([header, query.subarray(12, end + 4), ...rows])
}

function records(table: DnsTable, name: string, type: number): Buffer[] {
  if (type === TYPE.A) return (table.a?.[name] ?? []).map((address) => Buffer.from(address.split('.').map(Number)))
  if (type === TYPE.TXT) return table.txt?.[name] === undefined ? [] : [text(table.txt[name])]
  if (type === TYPE.AAAA)
    return (table.aaaa?.[name] ?? []).map((address) => Buffer.from(address.replaceAll(':', ''), 'hex'))
  if (type !== TYPE.MX) return []
  return (table.mx?.[name] ?? []).map(([preference, exchange]) => {
    const prefix = Buffer.alloc(2)
    prefix.writeUInt16BE(preference)
    return Buffer.concat([prefix, ...exchange.split('.').filter(Boolean).flatMap(label), Buffer.of(0)])
  })
}

/** Strings of at most 255 octets. */
const text = (written: string): Buffer => Buffer.concat((written.match(/[^]{1,255}/g) ?? []).flatMap(label))

const label = (text: string): Buffer[] => [Buffer.of(text.length), Buffer.from(text)]

/** Name: a pointer to the question; class IN; TTL 1. */
function record(type: number, lengthBytes: number): Buffer {
  const bytes = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 1, 0, 0])
  bytes.writeUInt16BE(lengthBytes, 10)
  return bytes
}

/** `end`: offset of the type behind the name. */
function questionName(query: Buffer): { name: string; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.subarray(at + 1, at + 1 + length).toString('latin1'))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 }
}
