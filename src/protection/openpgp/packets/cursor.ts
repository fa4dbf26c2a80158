/** Reads the fields of a packet's body one after the other (RFC 9580 §3): numbers are big-endian. */
import { Malformed } from '../../malformed.ts'

/** Twice the largest RSA key that programs make; larger numbers would only cost time. */
const MPI_MAX_BYTES = 4096

/** Throws Malformed where the bytes end too early. */
export class Cursor {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** How many bytes are still to be read. */
  get left(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number {
    return this.take(1)[0] as number
  }

  u16(): number {
    const [high, low] = this.take(2) as Iterable<number> as [number, number]
    return high * 2 ** 8 + low
  }

  u32(): number {
    return this.u16() * 2 ** 16 + this.u16()
  }

  /** The next `length` bytes: a view, not a copy. */
  take(length: number): Uint8Array {
    if (length > this.left) throw new Malformed('the packet ends too early')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.take(this.left)
  }

  /**
   * A multiprecision integer without its leading zeros (§3.2). The count of bits says how many bytes to take, no more:
   * old programs did not always count exactly.
   */
  mpi(): Uint8Array {
    const lengthBytes = Math.ceil(this.u16() / 8)
    if (lengthBytes > MPI_MAX_BYTES) throw new Malformed('a number is too large')
    return withoutLeadingZeros(this.take(lengthBytes))
  }
}

/** The bytes of a number as a multiprecision integer (RFC 9580 §3.2). */
export function writeMpi(bytes: Uint8Array): Uint8Array {
  const number = withoutLeadingZeros(bytes)
  const bits = number.length === 0 ? 0 : number.length * 8 - Math.clz32(number[0] as number) + 24
  return Uint8Array.of(bits >>> 8, bits & 0xff, ...number)
}

function withoutLeadingZeros(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0)
  return bytes.subarray(first === -1 ? bytes.length : first)
}
