/** The hashes of a body that signatures ask for, in one pass over it. */
import { type Hash, createHash } from 'node:crypto'
import type { ByteSink } from '../base/byte-sink.ts'
import { equalBytes } from '../base/bytes.ts'
import { type Canonical, CanonicalBody } from './canonical.ts'

/** What is asked of a body. */
export interface BodyAsked {
  readonly bodyForm: Canonical
  readonly bodyHash: Uint8Array
  readonly bodyMaxBytes?: number
}

export class BodyHashes implements ByteSink {
  readonly #hashes = new Map<string, HashedBody>()
  readonly #sinks: readonly ByteSink[]

  constructor(asked: readonly BodyAsked[]) {
    for (const each of asked)
      if (!this.#hashes.has(keyOf(each))) this.#hashes.set(keyOf(each), new HashedBody(each.bodyMaxBytes))
    this.#sinks = [...this.#hashes].map(
      ([key, hashed]) => new CanonicalBody(key.startsWith('relaxed') ? 'relaxed' : 'simple', hashed),
    )
  }

  write(chunk: Uint8Array): void {
    for (const sink of this.#sinks) sink.write(chunk)
  }

  end(): void {
    for (const sink of this.#sinks) sink.end()
  }

  /**
   * After the end. `part`: the hash is right, and does not cover what somebody has put behind (l=; RFC 6376 §8.2 warns of
   * it).
   */
  judge(asked: BodyAsked): 'whole' | 'part' | 'wrong' {
    const hashed = this.#hashes.get(keyOf(asked))
    if (hashed === undefined) throw new TypeError('this hash was not asked for')
    if (!equalBytes(hashed.digest(), asked.bodyHash)) return 'wrong'
    const { bodyMaxBytes = hashed.lengthBytes } = asked
    // l= of more than there is: the body was cut
    return bodyMaxBytes === hashed.lengthBytes ? 'whole' : bodyMaxBytes > hashed.lengthBytes ? 'wrong' : 'part'
  }
}

const keyOf = ({ bodyForm, bodyMaxBytes }: BodyAsked): string => `${bodyForm} ${bodyMaxBytes ?? ''}`

/** SHA-256, which all algorithms here use. */
export class HashedBody implements ByteSink {
  lengthBytes = 0
  readonly #maxBytes: number
  readonly #hash: Hash = createHash('sha256')
  #digest: Uint8Array | undefined

  constructor(maxBytes = Number.POSITIVE_INFINITY) {
    this.#maxBytes = maxBytes
  }

  write(chunk: Uint8Array): void {
    const room = this.#maxBytes - this.lengthBytes
    this.lengthBytes += chunk.length
    if (room > 0) this.#hash.update(chunk.length > room ? chunk.subarray(0, room) : chunk)
  }

  end(): void {
    this.#digest = this.#hash.digest()
  }

  digest(): Uint8Array {
    if (this.#digest === undefined) throw new TypeError('the body has not ended')
    return this.#digest
  }
}
