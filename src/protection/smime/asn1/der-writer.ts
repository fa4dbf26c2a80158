/** Writes DER (X.690 §10). Values in, bytes out; nothing here knows what a certificate or a message is. */
import { Buffer } from 'node:buffer'
import { TAG, contextConstructed } from './tlv.ts'

/** Tag and definite length for `length` content octets. */
export function derHeader(tag: number, length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(tag, length)
  const octets: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  return Uint8Array.of(tag, 0x80 | octets.length, ...octets)
}

export function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, content) => sum + content.length, 0)
  return Buffer.concat([derHeader(tag, length), ...contents])
}

export const sequence = (...contents: readonly Uint8Array[]): Uint8Array => der(TAG.SEQUENCE, ...contents)
export const octetString = (content: Uint8Array): Uint8Array => der(TAG.OCTET_STRING, content)
/** `[number] EXPLICIT`, or the implicit tag of a constructed type. */
export const contextTagged = (number: number, ...contents: readonly Uint8Array[]): Uint8Array =>
  der(contextConstructed(number), ...contents)
export const NULL = Uint8Array.of(TAG.NULL, 0)

/** SET OF: members sorted by their encoding (X.690 §11.6). */
export const setOf = (members: readonly Uint8Array[]): Uint8Array => der(TAG.SET, ...[...members].sort(Buffer.compare))

/** BIT STRING of whole octets. */
export const bitString = (content: Uint8Array): Uint8Array => der(TAG.BIT_STRING, Uint8Array.of(0), content)

/** Non-negative INTEGER. */
export function integer(value: number): Uint8Array {
  const octets: number[] = [value % 256]
  for (let rest = Math.floor(value / 256); rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  if ((octets[0] as number) >= 0x80) octets.unshift(0)
  return Uint8Array.of(TAG.INTEGER, octets.length, ...octets)
}

/** The octets of a number as a non-negative INTEGER. */
export function unsigned(octets: Uint8Array): Uint8Array {
  const first = octets.findIndex((octet) => octet !== 0)
  const number = first === -1 ? Uint8Array.of(0) : octets.subarray(first)
  return (number[0] as number) >= 0x80 ? der(TAG.INTEGER, Uint8Array.of(0), number) : der(TAG.INTEGER, number)
}

const oidCache = new Map<string, Uint8Array>()

export function oid(dotted: string): Uint8Array {
  const known = oidCache.get(dotted)
  if (known !== undefined) return known
  const [first, second, ...rest] = dotted.split('.').map(Number) as [number, number, ...number[]]
  const content = [first * 40 + second, ...rest].flatMap((arc) => {
    const octets = [arc % 128]
    for (let more = Math.floor(arc / 128); more > 0; more = Math.floor(more / 128)) octets.unshift((more % 128) | 0x80)
    return octets
  })
  const encoded = der(TAG.OID, Uint8Array.from(content))
  oidCache.set(dotted, encoded)
  return encoded
}

/** UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5, RFC 5652 §11.3). */
export function time(ms: number): Uint8Array {
  const iso = new Date(ms).toISOString()
  const digits = `${iso.slice(0, 19).replaceAll(/[-:T]/g, '')}Z`
  const year = Number(digits.slice(0, 4))
  return year >= 1950 && year < 2050
    ? der(TAG.UTC_TIME, Buffer.from(digits.slice(2), 'latin1'))
    : der(TAG.GENERALIZED_TIME, Buffer.from(digits, 'latin1'))
}
