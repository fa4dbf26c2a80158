/**
 * The PROXY protocol, versions 1 and 2 (proxy-protocol.txt of HAProxy): what a load balancer says before the client's first
 * byte, namely where the client comes from. It proves nothing; only balancers that are configured may say it.
 */
import type { Preamble } from '../base/preamble.ts'
import { latin1 } from '../base/bytes.ts'
import { hostAddress } from './host-address.ts'

/** With CRLF (§2.1). */
export const V1_MAX_BYTES = 107
/** Of all fields together: balancers add what they know of TLS behind the addresses. */
export const V2_MAX_BYTES = 2_048

export interface ProxiedClient {
  readonly address: string
  readonly port: number
}

/** `undefined` as value: the balancer itself is the client (a health check), or it does not know who is. */
export type ProxyHeader = Preamble<ProxiedClient | undefined>

export function readProxyHeader(bytes: Uint8Array): ProxyHeader {
  if (startsAlike(bytes, V2_SIGNATURE)) return bytes.length < V2_HEAD_BYTES ? MORE : readV2(bytes)
  if (startsAlike(bytes, V1_SIGNATURE)) return readV1(bytes)
  return none('no PROXY header')
}

const V1_SIGNATURE = Buffer.from('PROXY ', 'latin1')
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_HEAD_BYTES = 16
const MORE = { kind: 'more' } as const
const none = (why: string): ProxyHeader => ({ kind: 'none', why })

/** As far as both go. */
function startsAlike(bytes: Uint8Array, signature: Uint8Array): boolean {
  const length = Math.min(bytes.length, signature.length)
  return signature.subarray(0, length).every((byte, index) => byte === bytes[index])
}

function readV1(bytes: Uint8Array): ProxyHeader {
  const text = latin1(bytes.subarray(0, V1_MAX_BYTES))
  const end = text.indexOf('\r\n')
  const line = end === -1 ? text : text.slice(0, end)
  if (/[^\x20-\x7e]/.test(end === -1 ? line.replace(/\r$/, '') : line))
    return none('a PROXY header is one line of text')
  if (end === -1) return bytes.length < V1_MAX_BYTES ? MORE : none('the PROXY header has no end')
  const found = (value: ProxiedClient | undefined): ProxyHeader => ({ kind: 'found', lengthBytes: end + 2, value })
  // "the receiver must ignore anything presented before the CRLF"
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return found(undefined)
  const [, family = '', from = '', to = '', ...ports] = V1.exec(line) ?? []
  const [port = Number.NaN] = ports.map(Number)
  const isV6 = family === '6'
  const isWrong = [from, to].some((each) => hostAddress(each) === undefined || each.includes(':') !== isV6)
  const address = hostAddress(from)
  if (isWrong || address === undefined || ports.some((each) => Number(each) > PORT_MAX))
    return none('a bad PROXY header')
  return found({ address, port })
}

/** Family, source, destination, ports; no leading zeros. */
const V1 = /^PROXY TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/
const PORT_MAX = 65_535

/** Two addresses and two ports (§2.2). */
const V2_ADDRESS_BYTES: Readonly<Record<number, number>> = { 0x1: 4, 0x2: 16, 0x3: 108 }
const V2_FAMILIES = { unspecified: 0x0, v6: 0x2, unix: 0x3 } as const
const V2_TRANSPORTS = { unspecified: 0x0, stream: 0x1, datagram: 0x2 } as const

function readV2(bytes: Uint8Array): ProxyHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [versionAndCommand, familyAndTransport] = [view.getUint8(12), view.getUint8(13)]
  const bodyBytes = view.getUint16(14)
  const lengthBytes = V2_HEAD_BYTES + bodyBytes
  if (versionAndCommand >> 4 !== 2) return none('a PROXY header of another version')
  if (lengthBytes > V2_MAX_BYTES) return none(`a PROXY header of more than ${V2_MAX_BYTES} bytes`)
  const command = versionAndCommand & 0xf
  if (command > 1) return none('a PROXY header with an unknown command')
  const [family, transport] = [familyAndTransport >> 4, familyAndTransport & 0xf]
  if (family > V2_FAMILIES.unix || transport >= V2_TRANSPORTS.datagram) return none('a PROXY header that is not of TCP')
  const addressBytes = V2_ADDRESS_BYTES[family] ?? 0
  const portBytes = family === V2_FAMILIES.unspecified || family === V2_FAMILIES.unix ? 0 : 4
  const isLocal = command === 0
  if (!isLocal && bodyBytes < 2 * addressBytes + portBytes) return none('a PROXY header that is too short')
  if (bytes.length < lengthBytes) return MORE
  const isKnown = !isLocal && portBytes > 0 && transport === V2_TRANSPORTS.stream
  if (!isKnown) return { kind: 'found', lengthBytes, value: undefined }
  const address = addressText(bytes.subarray(V2_HEAD_BYTES, V2_HEAD_BYTES + addressBytes), family === V2_FAMILIES.v6)
  const port = view.getUint16(V2_HEAD_BYTES + 2 * addressBytes)
  return { kind: 'found', lengthBytes, value: { address, port } }
}

function addressText(bytes: Uint8Array, isV6: boolean): string {
  if (!isV6) return bytes.join('.')
  const groups = Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? []
  const written = groups.join(':')
  return hostAddress(written) ?? written
}
