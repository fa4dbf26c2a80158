/** Reads a sequence of packets as its bytes come; of a body that is longer than memory, nothing is kept (RFC 9580 §4). */
import type { ByteSink } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { Gather } from '../../../base/gather.ts'
import { Malformed } from '../../malformed.ts'
import { CUT_OFF, PACKETS_MAX, checkedHeader } from './packet.ts'
import { type BodyLength, readLength, readPacketHeader } from './packet-header.ts'

/** A length and the type before it: the longest header. */
const HEADER_MAX_BYTES = 6

/** Where the body of a packet goes that has just begun. */
export type OnPacket = (type: number) => ByteSink

interface Body {
  readonly out: ByteSink
  /** Only for a body in parts, which may be short ones. */
  readonly gather: Gather | undefined
  /** Of the part that is being read. */
  leftBytes: number
  last: boolean
}

/** Throws Malformed out of `write` and `end`. */
export class PacketStream implements ByteSink {
  readonly #onPacket: OnPacket
  #body: Body | undefined
  /** The beginning of a header whose other bytes have not come. */
  #held: Uint8Array = new Uint8Array()
  #packets = 0

  constructor(onPacket: OnPacket) {
    this.#onPacket = onPacket
  }

  write(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;)
      at += this.#body === undefined || this.#body.leftBytes === 0 ? this.#head(chunk, at) : this.#part(chunk, at)
  }

  /** The last packet must be complete. */
  end(): void {
    if (this.#body?.leftBytes === Infinity) this.#endBody(this.#body)
    if (this.#body !== undefined || this.#held.length > 0) throw new Malformed(CUT_OFF)
  }

  /** Reads the header of a packet or of a part; returns how many bytes of the chunk that took. */
  #head(chunk: Uint8Array, at: number): number {
    const held = this.#held.length
    const bytes = concatBytes([this.#held, chunk.subarray(at, at + HEADER_MAX_BYTES - held)])
    const read = this.#body === undefined ? this.#readHeader(bytes) : this.#readLength(this.#body, bytes)
    this.#held = read === undefined ? bytes : new Uint8Array()
    return (read ?? bytes.length) - held
  }

  #readHeader(bytes: Uint8Array): number | undefined {
    const header = readPacketHeader(bytes, 0)
    if (header === undefined) return undefined
    const { type, length, headerBytes } = checkedHeader(header)
    if (++this.#packets > PACKETS_MAX) throw new Malformed('too many packets')
    const out = this.#onPacket(type)
    const gather = length.kind === 'partial' ? new Gather((piece) => out.write(piece)) : undefined
    this.#body = { out, gather, leftBytes: 0, last: false }
    this.#begin(this.#body, length)
    return headerBytes
  }

  #readLength(body: Body, bytes: Uint8Array): number | undefined {
    const field = readLength(bytes, 0)
    if (field !== undefined) this.#begin(body, field.length)
    return field?.fieldBytes
  }

  #begin(body: Body, length: BodyLength): void {
    body.last = length.kind !== 'partial'
    body.leftBytes = length.kind === 'indeterminate' ? Infinity : length.bytes
    this.#endIfRead(body)
  }

  #part(chunk: Uint8Array, at: number): number {
    const body = this.#body as Body
    const piece = chunk.subarray(at, at + Math.min(body.leftBytes, chunk.length - at))
    if (body.gather === undefined) body.out.write(piece)
    else body.gather.take(piece)
    body.leftBytes -= piece.length
    this.#endIfRead(body)
    return piece.length
  }

  #endIfRead(body: Body): void {
    if (body.last && body.leftBytes === 0) this.#endBody(body)
  }

  #endBody(body: Body): void {
    this.#body = undefined
    body.gather?.flush()
    body.out.end()
  }
}
