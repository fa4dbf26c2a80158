/**
 * bzip2 undone as the bytes come, block by block. It has no RFC; the format is that of bzip2 1.0. The checksums are not
 * looked at: whether the content is what was meant, a signature says.
 */
import type { ByteSink } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { BitReader, CutOff, damaged, readBlock, writeBlock } from './bzip2-block.ts'

const BLOCK_MAGIC = [0x314159, 0x265359]
const END_MAGIC = [0x177245, 0x385090]
const LEVEL_BYTES = 100_000
/** Longer than any block may be: nine hundred thousand symbols in the longest codes, and the tables. */
const BLOCK_MAX_BYTES = 3 * 2 ** 20
/** With less than that, a block is seldom complete. */
const FIRST_TRY_BYTES = 64 * 2 ** 10

/** Throws Malformed out of `write` and `end`. What comes behind the end is ignored. */
export class Bunzip2 implements ByteSink {
  readonly #out: ByteSink
  #held: Uint8Array[] = []
  #heldBytes = 0
  /** Of the first of the bytes that are held. */
  #skipBits = 0
  #tryAtBytes = FIRST_TRY_BYTES
  /** Room for a block; `undefined` before the header has said how long blocks are. */
  #chain: Uint32Array | undefined
  #done = false

  constructor(out: ByteSink) {
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    if (this.#done) return
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes >= this.#tryAtBytes) this.#run()
  }

  end(): void {
    if (!this.#done) this.#run()
    if (!this.#done) throw damaged()
    this.#out.end()
  }

  /** Reads what is all there; each block that is not is tried again when twice as much has come. */
  #run(): void {
    const bytes = concatBytes(this.#held)
    const reader = new BitReader(bytes, this.#skipBits)
    let readBits = this.#skipBits
    try {
      while (!this.#done) {
        this.#next(reader)
        readBits = reader.atBits
      }
      this.#held = []
    } catch (error) {
      if (!(error instanceof CutOff)) throw error
      const rest = bytes.subarray(readBits >> 3)
      this.#held = [rest]
      this.#heldBytes = rest.length
      this.#skipBits = readBits & 7
      if (rest.length > BLOCK_MAX_BYTES) throw damaged()
      this.#tryAtBytes = Math.max(FIRST_TRY_BYTES, 2 * rest.length)
    }
  }

  #next(reader: BitReader): void {
    if (this.#chain === undefined) {
      if (reader.take(24) !== 0x425a68) throw damaged() // BZh
      const level = reader.take(8) - 0x30
      if (level < 1 || level > 9) throw damaged()
      this.#chain = new Uint32Array(level * LEVEL_BYTES)
      return
    }
    const magic = [reader.take(24), reader.take(24)]
    reader.take(32) // the checksum
    if (magic.join() === END_MAGIC.join()) this.#done = true
    else if (magic.join() === BLOCK_MAGIC.join()) writeBlock(readBlock(reader, this.#chain), this.#out)
    else throw damaged()
  }
}
