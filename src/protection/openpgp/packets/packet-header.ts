/** The header of a packet (RFC 9580 §4.2): its type and how long its body is, in OpenPGP and in Legacy format. */
import { Malformed } from '../../malformed.ts'

/** How many bytes of the body follow: all that are left of it, or a part behind which the next length stands. */
export interface StatedLength {
  readonly kind: 'definite' | 'partial'
  readonly bytes: number
}

/** `indeterminate`: all up to the end of the input. */
export type BodyLength = StatedLength | { readonly kind: 'indeterminate' }

export interface PacketHeader {
  readonly type: number
  readonly length: BodyLength
  readonly headerBytes: number
}

interface LengthField<Length = StatedLength> {
  readonly length: Length
  readonly fieldBytes: number
}

/** The header that begins at `at`; `undefined` when it is not all there yet. Throws Malformed. */
export function readPacketHeader(bytes: Uint8Array, at: number): PacketHeader | undefined {
  const first = bytes[at]
  if (first === undefined) return undefined
  if ((first & 0x80) === 0) throw new Malformed('no packet begins here')
  const legacy = (first & 0x40) === 0
  const type = legacy ? (first >> 2) & 0x0f : first & 0x3f
  if (type === 0) throw new Malformed('packet type 0 is reserved')
  const field = legacy ? readLegacyLength(bytes, at + 1, first & 3) : readLength(bytes, at + 1)
  return field && { type, length: field.length, headerBytes: 1 + field.fieldBytes }
}

/** The length that begins at `at` (§4.2.1); `undefined` when it is not all there yet. */
export function readLength(bytes: Uint8Array, at: number): LengthField | undefined {
  const [first, second] = [bytes[at], bytes[at + 1]]
  if (first === undefined) return undefined
  if (first < 192) return definite(first, 1)
  if (first < 224) return second === undefined ? undefined : definite((first - 192) * 2 ** 8 + second + 192, 2)
  if (first < 255) return { length: { kind: 'partial', bytes: 2 ** (first & 0x1f) }, fieldBytes: 1 }
  return at + 5 > bytes.length ? undefined : definite(bigEndian(bytes, at + 1, 4), 5)
}

function readLegacyLength(bytes: Uint8Array, at: number, lengthType: number): LengthField<BodyLength> | undefined {
  if (lengthType === 3) return { length: { kind: 'indeterminate' }, fieldBytes: 0 }
  const fieldBytes = 2 ** lengthType
  return at + fieldBytes > bytes.length ? undefined : definite(bigEndian(bytes, at, fieldBytes), fieldBytes)
}

function definite(bytes: number, fieldBytes: number): LengthField {
  return { length: { kind: 'definite', bytes }, fieldBytes }
}

function bigEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let index = at; index < at + count; index++) value = value * 2 ** 8 + (bytes[index] as number)
  return value
}

/** A length in its shortest form: 1, 2 or 5 bytes. */
export function writeLength(bytes: number): number[] {
  if (bytes < 192) return [bytes]
  if (bytes < 8384) return [((bytes - 192) >> 8) + 192, (bytes - 192) & 0xff]
  return [0xff, bytes >>> 24, (bytes >>> 16) & 0xff, (bytes >>> 8) & 0xff, bytes & 0xff]
}
