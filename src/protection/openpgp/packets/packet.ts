/** A sequence of packets that fits into memory: certificates, keys, signatures and small messages (RFC 9580 §4). */
import { concatBytes } from '../../../base/bytes.ts'
import { Malformed, need } from '../../malformed.ts'
import { type PacketHeader, readLength, readPacketHeader, writeLength } from './packet-header.ts'

export interface Packet {
  readonly type: number
  readonly body: Uint8Array
}

/** The types of packets (RFC 9580 §5; AEAD is of GnuPG 2.3 and was never standardised). */
export const PACKET = {
  PKESK: 1,
  SIGNATURE: 2,
  SKESK: 3,
  ONE_PASS: 4,
  SECRET_KEY: 5,
  PUBLIC_KEY: 6,
  SECRET_SUBKEY: 7,
  COMPRESSED: 8,
  SED: 9,
  MARKER: 10,
  LITERAL: 11,
  TRUST: 12,
  USER_ID: 13,
  PUBLIC_SUBKEY: 14,
  USER_ATTRIBUTE: 17,
  SEIPD: 18,
  MDC: 19,
  AEAD: 20,
  PADDING: 21,
} as const

/** A key flooded with other people's signatures has tens of thousands of packets. */
export const PACKETS_MAX = 100_000
/** Parts that one body is cut into: 128 MiB in the shortest that may be written. */
const PARTS_MAX = 2 ** 18

const DATA_PACKETS: ReadonlySet<number> = new Set([
  PACKET.COMPRESSED,
  PACKET.SED,
  PACKET.LITERAL,
  PACKET.SEIPD,
  PACKET.AEAD,
])

/** All packets, in their order, whatever their types. Throws Malformed. */
export function readPackets(bytes: Uint8Array): Packet[] {
  const packets: Packet[] = []
  for (let at = 0; at < bytes.length;) {
    if (packets.length === PACKETS_MAX) throw new Malformed('too many packets')
    const header = checkedHeader(need(readPacketHeader(bytes, at), CUT_OFF))
    const { body, end } = readBody(bytes, at + header.headerBytes, header)
    packets.push({ type: header.type, body })
    at = end
  }
  return packets
}

/** Only data may come without the length of the whole (RFC 9580 §4.2.1.4). Throws Malformed. */
export function checkedHeader(header: PacketHeader): PacketHeader {
  if (header.length.kind !== 'definite' && !DATA_PACKETS.has(header.type))
    throw new Malformed(`a packet of type ${header.type} must state its length`)
  return header
}

export const CUT_OFF = 'the packet ends too early'

function readBody(bytes: Uint8Array, start: number, { length }: PacketHeader): { body: Uint8Array; end: number } {
  if (length.kind === 'indeterminate') return { body: bytes.subarray(start), end: bytes.length }
  const parts: Uint8Array[] = []
  for (let [at, part] = [start, length]; ;) {
    if (at + part.bytes > bytes.length) throw new Malformed(CUT_OFF)
    parts.push(bytes.subarray(at, at + part.bytes))
    at += part.bytes
    if (part.kind === 'definite') return { body: concatBytes(parts), end: at }
    if (parts.length === PARTS_MAX) throw new Malformed('a packet in too many parts')
    const next = need(readLength(bytes, at), CUT_OFF)
    part = next.length
    at += next.fieldBytes
  }
}

/** One packet in OpenPGP format, its length in front. */
export function writePacket(type: number, body: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(0xc0 | type, ...writeLength(body.length)), body])
}
