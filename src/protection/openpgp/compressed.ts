/** Compressed data (RFC 9580 §5.6): no protection, but a form that mail comes in; and a way to send much with few bytes. */
import { inflateRawSync } from 'node:zlib'
import { type ByteSink, Collector } from '../../base/byte-sink.ts'
import { concatBytes } from '../../base/bytes.ts'
import { DECOMPRESSED_MAX_BYTES, TOO_LARGE, decompressedMaxBytes } from '../expansion.ts'
import { Malformed } from '../malformed.ts'
import { Bunzip2 } from './compression/bzip2.ts'
import { Inflate } from './compression/inflate.ts'

/** RFC 9580 §9.4. */
const ALGORITHM = { UNCOMPRESSED: 0, ZIP: 1, ZLIB: 2, BZIP2: 3 } as const
const ZLIB_HEADER_BYTES = 2

/** The content of a packet's body that is in memory. Throws Malformed. */
export function decompress(body: Uint8Array): Uint8Array {
  const [algorithm] = body
  if (algorithm === ALGORITHM.ZIP) return inflate(body.subarray(1))
  if (algorithm === ALGORITHM.ZLIB) return inflate(withoutZlibHeader(body.subarray(1)))
  const content = new Collector()
  const sink = decompressingSink({
    write: (chunk) => {
      content.write(chunk)
      if (content.lengthBytes > DECOMPRESSED_MAX_BYTES) throw new Malformed(TOO_LARGE)
    },
    end: () => {},
  })
  sink.write(body)
  sink.end()
  return concatBytes(content.chunks)
}

/** Trailing bytes are passed over: Sequoia pads what it compresses. So is the checksum of ZLIB: a signature says more. */
function inflate(compressed: Uint8Array): Uint8Array {
  try {
    return inflateRawSync(compressed, { maxOutputLength: decompressedMaxBytes(compressed.length) })
  } catch (error) {
    throw new Malformed(error instanceof RangeError ? TOO_LARGE : 'the compressed content is damaged')
  }
}

function withoutZlibHeader(bytes: Uint8Array): Uint8Array {
  const [method = 0, flags = 0] = bytes
  // Deflate, no dictionary, and the check that RFC 1950 §2.2 puts into the flags.
  const isHeader = (method & 0x0f) === 8 && (flags & 0x20) === 0 && (method * 2 ** 8 + flags) % 31 === 0
  if (!isHeader) throw new Malformed('the compressed content is damaged')
  return bytes.subarray(ZLIB_HEADER_BYTES)
}

/**
 * Takes the body of a packet as it comes, its algorithm first; its content goes into `out`. There may be any amount, but not
 * too many times what came. Throws Malformed out of `write` and `end`.
 */
export function decompressingSink(out: ByteSink): ByteSink {
  return new Decompressing(out)
}

class Decompressing implements ByteSink {
  readonly #out: ByteSink
  #decoder: ByteSink | undefined
  #head: Uint8Array = new Uint8Array()
  #inBytes = 0
  #outBytes = 0

  constructor(out: ByteSink) {
    this.#out = {
      write: (chunk) => {
        this.#outBytes += chunk.length
        if (this.#outBytes > decompressedMaxBytes(this.#inBytes, Infinity)) throw new Malformed(TOO_LARGE)
        out.write(chunk)
      },
      end: () => out.end(),
    }
  }

  write(chunk: Uint8Array): void {
    this.#inBytes += chunk.length
    if (this.#decoder !== undefined) this.#decoder.write(chunk)
    else this.#begin(concatBytes([this.#head, chunk]))
  }

  end(): void {
    if (this.#decoder === undefined) throw new Malformed('the compressed content is damaged')
    this.#decoder.end()
  }

  #begin(head: Uint8Array): void {
    const [algorithm] = head
    this.#head = head
    if (algorithm === undefined || (algorithm === ALGORITHM.ZLIB && head.length <= ZLIB_HEADER_BYTES)) return
    this.#decoder = decoderFor(algorithm, this.#out)
    this.#decoder.write(algorithm === ALGORITHM.ZLIB ? withoutZlibHeader(head.subarray(1)) : head.subarray(1))
  }
}

function decoderFor(algorithm: number, out: ByteSink): ByteSink {
  switch (algorithm) {
    case ALGORITHM.UNCOMPRESSED:
      return out
    case ALGORITHM.ZIP:
    case ALGORITHM.ZLIB:
      return new Inflate(out)
    case ALGORITHM.BZIP2:
      return new Bunzip2(out)
    default:
      throw new Malformed(`unknown compression algorithm ${algorithm}`)
  }
}
