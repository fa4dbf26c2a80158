/**
 * A content sealed chunk by chunk, each with a tag that knows its place, and at the end a tag over the length of the whole
 * (RFC 9580 §5.13.2): what is cut off, left out or put elsewhere is found.
 */
import { Buffer } from 'node:buffer'
import { hkdfSync } from 'node:crypto'
import type { ByteSink } from '../../../base/byte-sink.ts'
import { Malformed } from '../../malformed.ts'
import { AEAD_TAG_BYTES, type AeadInput, openAead, sealAead } from '../algorithms/aeads.ts'
import { CHANGED } from './changed.ts'
import type { AeadHead } from './container.ts'

const INDEX_BYTES = 8
const NOTHING = new Uint8Array()

/** What differs between the two packets that are cut this way. */
interface ChunkPlan {
  readonly key: Uint8Array
  nonceOf(index: number): Uint8Array
  associatedDataOf(index: number): Uint8Array
  /** Of the tag at the end, which seals nothing. */
  lastAssociatedData(index: number, plaintextBytes: number): Uint8Array
}

function planOf(head: AeadHead, sessionKey: Uint8Array): ChunkPlan {
  return head.kind === 'seipd2' ? seipd2Plan(head, sessionKey) : librePgpPlan(head, sessionKey)
}

/** RFC 9580 §5.13.2: key and nonce come of the session key. */
function seipd2Plan({ cipher, aead, info, salt }: AeadHead, sessionKey: Uint8Array): ChunkPlan {
  const lengthBytes = cipher.keyBytes + aead.nonceBytes - INDEX_BYTES
  const derived = Buffer.from(hkdfSync('sha256', sessionKey, salt, info, lengthBytes))
  const nonceStart = derived.subarray(cipher.keyBytes)
  return {
    key: derived.subarray(0, cipher.keyBytes),
    nonceOf: (index) => Buffer.concat([nonceStart, uint64(index)]),
    associatedDataOf: () => info,
    lastAssociatedData: (_index, plaintextBytes) => Buffer.concat([info, uint64(plaintextBytes)]),
  }
}

/** The OCB Encrypted Data packet of LibrePGP: the session key itself, the index within the nonce and in the associated data. */
function librePgpPlan({ aead, info, salt }: AeadHead, sessionKey: Uint8Array): ChunkPlan {
  const start = salt.subarray(0, aead.nonceBytes - INDEX_BYTES)
  const counted = salt.subarray(-INDEX_BYTES)
  return {
    key: sessionKey,
    nonceOf: (index) => Buffer.concat([start, uint64(index).map((octet, i) => octet ^ (counted[i] ?? 0))]),
    associatedDataOf: (index) => Buffer.concat([info, uint64(index)]),
    lastAssociatedData: (index, plaintextBytes) => Buffer.concat([info, uint64(index), uint64(plaintextBytes)]),
  }
}

function uint64(value: number): Buffer {
  const octets = Buffer.alloc(INDEX_BYTES)
  octets.writeBigUInt64BE(BigInt(value))
  return octets
}

/** Counts the chunks, and gives each what it is sealed with. */
class ChunkSeals {
  readonly #head: AeadHead
  readonly #plan: ChunkPlan
  #index = 0
  #plaintextBytes = 0

  constructor(head: AeadHead, sessionKey: Uint8Array) {
    this.#head = head
    this.#plan = planOf(head, sessionKey)
  }

  next(plaintextBytes: number): AeadInput {
    const index = this.#index++
    this.#plaintextBytes += plaintextBytes
    return this.#input(index, this.#plan.associatedDataOf(index))
  }

  last(): AeadInput {
    return this.#input(this.#index, this.#plan.lastAssociatedData(this.#index, this.#plaintextBytes))
  }

  #input(index: number, associatedData: Uint8Array): AeadInput {
    const { cipher, aead } = this.#head
    return { cipher, aead, key: this.#plan.key, nonce: this.#plan.nonceOf(index), associatedData }
  }
}

/** Gathers what is pushed into pieces of one size. */
class Gatherer {
  #chunks: Uint8Array[] = []
  lengthBytes = 0

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.lengthBytes += chunk.length
  }

  take(lengthBytes: number): Uint8Array {
    const joined = this.#chunks.length === 1 ? (this.#chunks[0] as Uint8Array) : Buffer.concat(this.#chunks)
    const rest = joined.subarray(lengthBytes)
    this.#chunks = rest.length === 0 ? [] : [rest]
    this.lengthBytes = rest.length
    return joined.subarray(0, lengthBytes)
  }
}

/** Takes the ciphertext, pushes the plaintext. `out` is ended only when all was proven to be unchanged; else throws Malformed. */
export class ChunkDecryption implements ByteSink {
  readonly #seals: ChunkSeals
  readonly #sealedBytes: number
  readonly #gathered = new Gatherer()
  readonly #out: ByteSink

  constructor(head: AeadHead, sessionKey: Uint8Array, out: ByteSink) {
    this.#seals = new ChunkSeals(head, sessionKey)
    this.#sealedBytes = head.chunkBytes + AEAD_TAG_BYTES
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      const missing = this.#sealedBytes + AEAD_TAG_BYTES - this.#gathered.lengthBytes
      const part = chunk.subarray(at, at + missing)
      this.#gathered.push(part)
      at += part.length
      if (part.length === missing) this.#openChunk(this.#sealedBytes)
    }
  }

  end(): void {
    const lastBytes = this.#gathered.lengthBytes - AEAD_TAG_BYTES
    if (lastBytes > 0) this.#openChunk(lastBytes)
    if (lastBytes < 0 || openAead(this.#seals.last(), this.#gathered.take(AEAD_TAG_BYTES)) === undefined)
      throw new Malformed(CHANGED)
    this.#out.end()
  }

  #openChunk(sealedBytes: number): void {
    const plain = openAead(this.#seals.next(sealedBytes - AEAD_TAG_BYTES), this.#gathered.take(sealedBytes))
    if (plain === undefined) throw new Malformed(CHANGED)
    this.#out.write(plain)
  }
}

/** Takes the plaintext, pushes the ciphertext. */
export class ChunkEncryption implements ByteSink {
  readonly #seals: ChunkSeals
  readonly #chunkBytes: number
  readonly #gathered = new Gatherer()
  readonly #out: ByteSink

  constructor(head: AeadHead, sessionKey: Uint8Array, out: ByteSink) {
    this.#seals = new ChunkSeals(head, sessionKey)
    this.#chunkBytes = head.chunkBytes
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      const missing = this.#chunkBytes - this.#gathered.lengthBytes
      const part = chunk.subarray(at, at + missing)
      this.#gathered.push(part)
      at += part.length
      if (part.length === missing) this.#sealChunk()
    }
  }

  end(): void {
    if (this.#gathered.lengthBytes > 0) this.#sealChunk()
    this.#out.write(sealAead(this.#seals.last(), NOTHING))
    this.#out.end()
  }

  #sealChunk(): void {
    const plain = this.#gathered.take(this.#gathered.lengthBytes)
    this.#out.write(sealAead(this.#seals.next(plain.length), plain))
  }
}
