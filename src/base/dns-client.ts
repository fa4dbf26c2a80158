/**
 * Questions to the name server, and whether what it answers was signed: the door of dns-packet. Node's own resolver does
 * not tell whether an answer was validated, and an answer that was not is anybody's (RFC 7672 §2.1).
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { getServers } from 'node:dns'
import { connect, isIP, SocketAddress } from 'node:net'
import { domainToASCII } from 'node:url'
import { AUTHENTIC_DATA, type DecodedPacket, decode, encode, type Question, RECURSION_DESIRED } from 'dns-packet'

export interface TlsaRecord {
  readonly usage: number
  readonly selector: number
  readonly matchingType: number
  readonly data: Uint8Array
}

/** What is asked for, and what each record of the answer is. */
export interface DnsRecords {
  A: string
  AAAA: string
  /** Lower-case, without the root dot; '' is the root. */
  MX: { readonly preference: number; readonly exchange: string }
  TLSA: TlsaRecord
  /** Transferable public keys, in binary (RFC 7929). */
  OPENPGPKEY: Uint8Array
  /** The strings of one record, joined. */
  TXT: string
  /** Lower-case, without the root dot. */
  PTR: string
  /** Lower-case, without the root dot. */
  CNAME: string
}

/** Types that the library knows by number only. */
const WIRE_TYPE: Readonly<Partial<Record<keyof DnsRecords, string>>> = { OPENPGPKEY: 'UNKNOWN_61' }
const wireType = (type: keyof DnsRecords): string => WIRE_TYPE[type] ?? type

/**
 * `secure`: validated by a name server that we believe, aliases included. `none`: the name has no such record. `aliasOf`: where
 * CNAME records led, when the name asked for is an alias.
 */
export type DnsAnswer<T> =
  | { readonly kind: 'records'; readonly records: readonly T[]; readonly secure: boolean; readonly aliasOf?: string }
  | { readonly kind: 'none' | 'no-domain'; readonly secure: boolean; readonly aliasOf?: string }
  | { readonly kind: 'trouble'; readonly why: string }

export type DnsAsk = <Type extends keyof DnsRecords>(name: string, type: Type) => Promise<DnsAnswer<DnsRecords[Type]>>

/** Of one attempt. */
const TIMEOUT_MS = 5_000
const TRIES = 3
/** What fits into one datagram nearly everywhere; longer answers come by TCP. */
const DATAGRAM_MAX_BYTES = 1_232
const DNS_PORT = 53

export interface DnsOptions {
  /** `address` or `address:port`; the system's name servers when missing. */
  readonly server?: string
  /** Believe that an answer was validated when the name server says so. Missing: when it is on this machine. */
  readonly trustValidation?: boolean
  /** Of one attempt. */
  readonly timeoutMs?: number
}

export function createDnsClient({ server, trustValidation, timeoutMs = TIMEOUT_MS }: DnsOptions): DnsAsk {
  const servers = (server === undefined ? getServers() : [server]).flatMap(parseServer)
  return async (name, type) => {
    const ascii = domainToASCII(name).replace(/\.$/, '') || name
    if (!isName(ascii)) return { kind: 'no-domain', secure: false }
    let why = 'there is no name server to ask'
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const from = servers[attempt % servers.length]
      if (from === undefined) break
      const answer = await exchange(
        { server: from, timeoutMs },
        { type: wireType(type) as Question['type'], name: ascii, class: 'IN' },
      )
      if (typeof answer === 'string') {
        why = answer
        continue
      }
      const secure = answer.flag_ad && (trustValidation ?? isLoopback(from.address))
      if (answer.rcode === 'NXDOMAIN') return { kind: 'no-domain', secure }
      if (answer.rcode !== 'NOERROR') {
        why = answer.rcode
        continue
      }
      const records = recordsOf(answer, type)
      const aliasOf = type === 'CNAME' ? undefined : aliasTarget(answer, ascii)
      const found = records.length > 0 ? { kind: 'records' as const, records } : { kind: 'none' as const }
      return { ...found, secure, ...(aliasOf !== undefined && { aliasOf }) }
    }
    return { kind: 'trouble', why }
  }
}

/** The library's types do not know `rcode`. */
type Answer = DecodedPacket & { readonly rcode: string }

interface Hop {
  readonly server: SocketAddress
  readonly timeoutMs: number
}

/** An answer to just this question, or why there is none. Never rejects. */
async function exchange(hop: Hop, question: Question): Promise<Answer | string> {
  const id = randomInt(0x10000)
  const query = encode({
    type: 'query',
    id,
    // AD in a query asks for AD in the answer (RFC 6840 §5.7)
    flags: RECURSION_DESIRED | AUTHENTIC_DATA,
    questions: [question],
    additionals: [{ type: 'OPT', name: '.', udpPayloadSize: DATAGRAM_MAX_BYTES, flags: 0, options: [] }] as never,
  })
  const read = (bytes: Buffer): Answer | undefined => {
    const answer = decoded(bytes)
    return answer?.id === id && answer.type === 'response' && isSameQuestion(answer.questions, question)
      ? answer
      : undefined
  }
  const short = await overDatagram(hop, query, read)
  return typeof short !== 'string' && short.flag_tc ? overStream(hop, query, read) : short
}

type Read = (bytes: Buffer) => Answer | undefined

/** What is no answer to the question is not listened to: somebody guesses. */
function overDatagram({ server, timeoutMs }: Hop, query: Buffer, read: Read): Promise<Answer | string> {
  return new Promise((resolve) => {
    const socket = createSocket(server.family === 'ipv6' ? 'udp6' : 'udp4')
    let open = true
    const settle = (result: Answer | string): void => {
      clearTimeout(limit)
      if (open) socket.close()
      open = false
      resolve(result)
    }
    const limit = setTimeout(() => settle('the name server does not answer'), timeoutMs)
    socket.on('error', (error) => settle(error.message))
    socket.on('message', (bytes) => {
      const answer = read(bytes)
      if (answer !== undefined) settle(answer)
    })
    // an unreachable network is told to the callback, not as an 'error'
    const connected = (error?: Error): void => {
      if (error !== undefined) settle(error.message)
      else if (open) socket.send(query)
    }
    socket.connect(server.port, server.address, connected)
  })
}

function overStream({ server, timeoutMs }: Hop, query: Buffer, read: Read): Promise<Answer | string> {
  return new Promise((resolve) => {
    const socket = connect({ host: server.address, port: server.port })
    const settle = (result: Answer | string): void => {
      clearTimeout(limit)
      socket.destroy()
      resolve(result)
    }
    const limit = setTimeout(() => settle('the name server does not answer'), timeoutMs)
    let received: Uint8Array = new Uint8Array()
    socket.on('error', (error) => settle(error.message))
    socket.on('close', () => settle('the name server closed the connection'))
    socket.on('data', (chunk: Uint8Array) => {
      received = Buffer.concat([received, chunk])
      const lengthBytes = ((received[0] ?? 0) << 8) | (received[1] ?? 0)
      if (received.length < 2 + lengthBytes || lengthBytes === 0) return
      settle(read(Buffer.from(received.subarray(2, 2 + lengthBytes))) ?? 'the name server answers something else')
    })
    const length = Buffer.alloc(2)
    length.writeUInt16BE(query.length)
    socket.write(Buffer.concat([length, query]))
  })
}

/** The library throws at what is malformed. */
function decoded(bytes: Buffer): Answer | undefined {
  try {
    return decode(bytes) as unknown as Answer
  } catch {
    return undefined
  }
}

function isSameQuestion(questions: readonly Question[] | undefined, asked: Question): boolean {
  const [one] = questions ?? []
  return one?.type === asked.type && one.name.toLowerCase() === asked.name.toLowerCase()
}

function recordsOf<Type extends keyof DnsRecords>(answer: Answer, type: Type): DnsRecords[Type][] {
  const rows = answer.answers ?? []
  return rows.flatMap((row) => (row.type === wireType(type) && 'data' in row ? [READERS[type](row.data as never)] : []))
}

/** A chain that goes in circles ends where it began: no alias. */
function aliasTarget({ answers = [] }: Answer, asked: string): string | undefined {
  const aliases = new Map(
    answers.flatMap((row) => (row.type === 'CNAME' ? [[hostName(row.name), hostName(row.data)] as const] : [])),
  )
  const first = hostName(asked)
  const seen = new Set<string>()
  let at = first
  for (let next = aliases.get(at); next !== undefined && !seen.has(next); next = aliases.get(at)) seen.add((at = next))
  return at === first ? undefined : at
}

const hostName = (name: string): string => name.toLowerCase().replace(/\.$/, '')

const READERS: { readonly [Type in keyof DnsRecords]: (data: never) => DnsRecords[Type] } = {
  A: (data: string) => data,
  AAAA: (data: string) => data,
  MX: ({ preference = 0, exchange: host }: { readonly preference?: number; readonly exchange: string }) => ({
    preference,
    exchange: hostName(host),
  }),
  TLSA: (data: {
    readonly usage: number
    readonly selector: number
    readonly matchingType: number
    readonly certificate: Uint8Array
  }) => ({
    usage: data.usage,
    selector: data.selector,
    matchingType: data.matchingType,
    data: data.certificate,
  }),
  OPENPGPKEY: (data: Uint8Array) => Uint8Array.from(data),
  TXT: (data: string | Buffer | readonly (string | Buffer)[]) =>
    (Array.isArray(data) ? data : [data]).map((each: string | Buffer) => each.toString('latin1')).join(''),
  PTR: hostName,
  CNAME: hostName,
}

/** RFC 1035 §2.3.4; a mail domain is made of labels with something in them. */
function isName(name: string): boolean {
  return name.length <= 253 && name.split('.').every((label) => label.length >= 1 && label.length <= 63)
}

function parseServer(text: string): SocketAddress[] {
  const bracketed = isIP(text) === 6 ? `[${text}]` : text
  const parsed = SocketAddress.parse(bracketed)
  if (parsed === undefined) return []
  const { address, family, port } = parsed
  return [port === 0 ? new SocketAddress({ address, family, port: DNS_PORT }) : parsed]
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.')
