/** Large messages in a bucket, and elsewhere those that came before there was one: the name says where. */
import { type BucketObjects, isInBucket } from './bucket-objects.ts'
import type { LargeObjects, NewObject, ObjectReader } from '../bytes/large-objects.ts'
import type { LocalCopies } from '../bytes/local-copies.ts'

export class LargeByPlace implements LargeObjects {
  readonly #elsewhere: LargeObjects
  readonly #bucket: BucketObjects | undefined
  readonly #copies: LocalCopies

  constructor(elsewhere: LargeObjects, bucket: BucketObjects | undefined, copies: LocalCopies) {
    this.#elsewhere = elsewhere
    this.#bucket = bucket
    this.#copies = copies
  }

  create(name?: string): Promise<NewObject> {
    return name === undefined ? (this.#bucket ?? this.#elsewhere).create() : this.#placeOf(name).create(name)
  }

  async open(name: string): Promise<ObjectReader> {
    return this.#placeOf(name).open(name)
  }

  async remove(names: readonly string[]): Promise<void> {
    await this.#elsewhere.remove(names.filter((name) => !isInBucket(name)))
    await this.#bucket?.remove(names.filter(isInBucket))
  }

  async sweep(beforeMs: number): Promise<number> {
    return (await this.#elsewhere.sweep(beforeMs)) + ((await this.#bucket?.sweep(beforeMs)) ?? 0)
  }

  async fileOf(name: string): Promise<string> {
    return this.#placeOf(name).fileOf(name)
  }

  async releaseFile(path: string): Promise<void> {
    await (this.#copies.isOne(path) ? this.#copies.remove(path) : this.#elsewhere.releaseFile(path))
  }

  /** Not the same as missing: a node that is set up otherwise than the others has lost nothing. */
  #placeOf(name: string): LargeObjects {
    if (!isInBucket(name)) return this.#elsewhere
    if (this.#bucket === undefined) throw new Error(`${name} lies in a bucket, and store.bucket names none`)
    return this.#bucket
  }
}
