import { Buffer } from 'node:buffer'
import { CR, LF } from '../base/bytes.ts'

/** Longest command line, CRLF included (RFC 2449 §4). */
export const COMMAND_LINE_MAX_BYTES = 255

/**
 * Longest SASL response, CRLF included: the base64 of PLAIN's three fields of 255 octets each and two NULs
 * (RFC 5034 §4: the limit on command lines does not bind what answers a challenge).
 */
export const SASL_LINE_MAX_BYTES = 1024 + 2

/** What is skipped of one over-long line, in the hope of its end, before the line counts as endless. */
const OVERLONG_SKIP_MAX_BYTES = 64 * 1024

/** One line a client sent, or what was wrong with it. */
export type ClientLine =
  | { readonly kind: 'line'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-long' }
  | { readonly kind: 'bare-lf' }
  | { readonly kind: 'endless' }

/** Cuts a client's bytes into lines. Holds what was pushed and not yet taken; its user stops pushing when that is much. */
export class LineBuffer {
  #pending = Buffer.alloc(0)
  #skippedBytes = 0

  /** Bytes that were pushed and not yet taken. */
  get bufferedBytes(): number {
    return this.#pending.length
  }

  push(chunk: Uint8Array): void {
    this.#pending = this.#pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk])
  }

  /**
   * The next line without its CRLF, or `undefined` when it has not arrived to its end. A line of more than `maxBytes`
   * (CRLF included) is skipped and reported once, when it ends; so is one that ends in LF alone.
   */
  next(maxBytes: number): ClientLine | undefined {
    const end = this.#pending.indexOf(LF)
    if (end === -1) return this.#unfinished(maxBytes)
    const line = this.#pending.subarray(0, end + 1)
    this.#pending = this.#pending.subarray(end + 1)
    const lengthBytes = this.#skippedBytes + line.length
    this.#skippedBytes = 0
    if (lengthBytes > maxBytes) return { kind: 'too-long' }
    if (line[line.length - 2] !== CR) return { kind: 'bare-lf' }
    return { kind: 'line', bytes: line.subarray(0, -2) }
  }

  #unfinished(maxBytes: number): ClientLine | undefined {
    if (this.#pending.length === 0 || this.#skippedBytes + this.#pending.length < maxBytes) return undefined
    this.#skippedBytes += this.#pending.length
    this.#pending = Buffer.alloc(0)
    return this.#skippedBytes > OVERLONG_SKIP_MAX_BYTES ? { kind: 'endless' } : undefined
  }
}
