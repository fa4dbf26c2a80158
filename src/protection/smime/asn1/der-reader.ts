/**
 * Reads small, whole ASN.1 structures (certificates, attributes, headers of CMS). Message-sized BER goes through
 * ber-stream.ts instead. Accepts definite lengths, as DER has them (X.690 §10.1); `strict` also refuses
 * lengths that are not minimal.
 */
import { latin1 } from '../../../base/bytes.ts'
import { type Result, fail, ok } from '../../../base/result.ts'
import { ASN1_DEPTH_MAX, ASN1_NODES_MAX, CONSTRUCTED } from './tlv.ts'

export interface Node {
  readonly tag: number
  /** The whole encoding: tag, length, content. */
  readonly raw: Uint8Array
  readonly content: Uint8Array
  /** Empty for primitive encodings. */
  readonly children: readonly Node[]
}

interface Budget {
  nodes: number
}

/** Parses exactly one element that fills `der`. */
export function parseDer(der: Uint8Array): Result<Node> {
  try {
    const node = readNode(der, 0, ASN1_DEPTH_MAX, { nodes: ASN1_NODES_MAX })
    return node.raw.length === der.length ? ok(node) : fail('bytes after the end of the structure')
  } catch (error) {
    if (error instanceof Asn1Error) return fail(error.message)
    throw error
  }
}

/** Thrown inside asn1/ only; the public functions turn it into a Result. */
export class Asn1Error extends Error {}

function readNode(bytes: Uint8Array, start: number, depth: number, budget: Budget): Node {
  if (depth === 0) throw new Asn1Error('nested too deeply')
  if (--budget.nodes < 0) throw new Asn1Error('too many elements')
  const tag = bytes[start]
  if (tag === undefined) throw new Asn1Error('unexpected end')
  if ((tag & 0x1f) === 0x1f) throw new Asn1Error('tag number above 30')
  const { length, offset } = readLength(bytes, start + 1)
  const end = offset + length
  if (end > bytes.length) throw new Asn1Error('length beyond the end')
  const content = bytes.subarray(offset, end)
  const children: Node[] = []
  if ((tag & CONSTRUCTED) !== 0) {
    let at = 0
    while (at < content.length) {
      const child = readNode(content, at, depth - 1, budget)
      children.push(child)
      at += child.raw.length
    }
  }
  return { tag, raw: bytes.subarray(start, end), content, children }
}

function readLength(bytes: Uint8Array, at: number): { length: number; offset: number } {
  const first = bytes[at]
  if (first === undefined) throw new Asn1Error('unexpected end')
  if (first < 0x80) return { length: first, offset: at + 1 }
  const count = first & 0x7f
  if (count === 0) throw new Asn1Error('indefinite length where DER is required')
  if (count > 6) throw new Asn1Error('length too large')
  let length = 0
  for (let i = 1; i <= count; i++) {
    const octet = bytes[at + i]
    if (octet === undefined) throw new Asn1Error('unexpected end')
    length = length * 256 + octet
  }
  return { length, offset: at + 1 + count }
}

/** OBJECT IDENTIFIER content → dotted text (X.690 §8.19); `undefined` when malformed. */
export function readOid(content: Uint8Array): string | undefined {
  const key = latin1(content)
  const known = oidTexts.get(key)
  if (known !== undefined) return known
  const text = decodeOid(content)
  if (text !== undefined && oidTexts.size < OID_TEXTS_MAX) oidTexts.set(key, text)
  return text
}

/** The same few hundred OIDs occur over and over. */
const oidTexts = new Map<string, string>()
const OID_TEXTS_MAX = 1000

function decodeOid(content: Uint8Array): string | undefined {
  if (content.length === 0 || content.length > 64 || ((content.at(-1) as number) & 0x80) !== 0) return undefined
  const arcs: number[] = []
  let value = 0
  let first = true // octet of an arc: 0x80 there would be a leading zero, and give one OID two encodings
  for (const octet of content) {
    if (value > 2 ** 45 || (first && octet === 0x80)) return undefined
    first = octet < 0x80
    value = value * 128 + (octet & 0x7f)
    if ((octet & 0x80) !== 0) continue
    if (arcs.length === 0) {
      const first = Math.min(2, Math.floor(value / 40))
      arcs.push(first, value - first * 40)
    } else arcs.push(value)
    value = 0
  }
  return arcs.join('.')
}

/** Small non-negative INTEGER content → number; `undefined` when negative, empty or above 2^48. */
export function readSmallInteger(content: Uint8Array): number | undefined {
  if (content.length === 0 || content.length > 6 || ((content[0] as number) & 0x80) !== 0) return undefined
  return content.reduce((value, octet) => value * 256 + octet, 0)
}

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?Z$/
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d+)?Z$/

/** UTCTime or GeneralizedTime content → milliseconds; two-digit years as RFC 5280 §4.1.2.5.1 has them. */
export function readTimeMs(content: Uint8Array): number | undefined {
  if (content.length > TIME_MAX_BYTES) return undefined
  const text = latin1(content)
  const utc = UTC_TIME.exec(text)
  const match = utc ?? GENERALIZED_TIME.exec(text)
  if (match === null) return undefined
  const [written = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((digits: string | undefined) => Number(digits ?? 0))
  const year = utc === null ? written : written + (written < 50 ? 2000 : 1900)
  if (year < 1900 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return undefined
  const ms = Date.UTC(year, month - 1, day, hour, minute, second)
  return new Date(ms).getUTCDate() === day ? ms : undefined // 31 April would become 1 May
}

const TIME_MAX_BYTES = 32
