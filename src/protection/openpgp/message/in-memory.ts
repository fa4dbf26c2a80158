/** Entities that are in memory. */
import { type ByteRange, type Spill, rangeInMemory } from '../../../base/byte-range.ts'
import { Collector } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { childrenOf } from '../../../message/mime-tree.ts'
import { parsePart } from '../../../message/parse.ts'
import type { Part } from '../../../message/part.ts'
import type { Holding } from './holding.ts'

export const inMemory: Holding<Part> = {
  preview: (part) => part,
  children: childrenOf,
  bytes: (part) => rangeInMemory(part.raw),
  openSpill: () => new MemorySpill(),
  entity: (bytes) => parsePart(bytes.read()),
}

class MemorySpill extends Collector implements Spill {
  #range: ByteRange | undefined

  get range(): ByteRange {
    this.#range ??= rangeInMemory(concatBytes(this.take()))
    return this.#range
  }

  holds({ keeper }: ByteRange): boolean {
    return keeper === this.#range?.keeper
  }

  drop(): void {
    this.take()
  }
}
