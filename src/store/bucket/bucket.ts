/** A bucket of an S3-compatible store: objects that are written once, read in parts, listed and removed. */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { foreignText } from '../../base/limits.ts'
import { type Listing, readError, readListing } from './s3-answers.ts'
import { type BucketSettings, type S3Answer, type S3Body, S3Connections, type S3Request } from './s3-request.ts'

/** A request is sent so often before it has failed. */
const TRIES_MAX = 3
/** After the first failure; four times as long after the next, and half as much more or less by chance. */
const RETRY_AFTER_MS = 200
const NO_SUCH_KEY = 'NoSuchKey'
const NO_CONNECTION = 'NoConnection'
/** Asked again, these may be answered otherwise; so may each answer from 500 on. */
const PASSING = new Set([NO_CONNECTION, 'RequestTimeout', 'SlowDown', 'TooManyRequests', 'OperationAborted'])

/** The bucket did not do what it was asked for. Nothing is lost by it: who wanted to write or read tries again later. */
export class BucketFailed extends Error {
  override readonly name = 'BucketFailed'
  /** As the store calls it: `AccessDenied`, `NoSuchBucket`, …; `NoConnection` when it did not answer. */
  readonly code: string
  readonly isPassing: boolean

  constructor(code: string, text: string, { isPassing = PASSING.has(code), cause }: FailureDetails = {}) {
    super(text, { cause })
    this.code = code
    this.isPassing = isPassing
  }
}

interface FailureDetails {
  readonly isPassing?: boolean
  readonly cause?: unknown
}

export interface Part {
  readonly bytes: Uint8Array
  /** Of the whole object. */
  readonly sizeBytes: number
}

/** All of these throw BucketFailed. `name` is a key without the prefix of the settings. */
export class Bucket {
  readonly #settings: BucketSettings
  readonly #connections: S3Connections

  constructor(settings: BucketSettings) {
    this.#settings = settings
    this.#connections = new S3Connections(settings)
  }

  /** When it resolves the object is durable. */
  async put(name: string, body: S3Body): Promise<void> {
    await this.#ask({ method: 'PUT', key: this.#keyOf(name), body })
  }

  /** At most `lengthBytes` from `from` on; `undefined` when there is no such object. */
  async part(name: string, from: number, lengthBytes: number): Promise<Part | undefined> {
    try {
      const answer = await this.#ask({ method: 'GET', key: this.#keyOf(name), range: { from, lengthBytes } })
      const total = /\/(\d{1,15})$/.exec(answer.headers['content-range'] ?? '')?.[1]
      if (answer.status === 206 && total !== undefined) return { bytes: answer.bytes, sizeBytes: Number(total) }
      if (from === 0) return { bytes: answer.bytes, sizeBytes: answer.bytes.length }
      throw new BucketFailed('NoRange', 'It gives objects as a whole only')
    } catch (error) {
      if (!(error instanceof BucketFailed)) throw error
      if (error.code === NO_SUCH_KEY) return undefined
      if (error.code === 'InvalidRange') return { bytes: Buffer.alloc(0), sizeBytes: from } // nothing is there
      throw error
    }
  }

  /** That it is gone already is fine. */
  async remove(name: string): Promise<void> {
    try {
      await this.#ask({ method: 'DELETE', key: this.#keyOf(name) })
    } catch (error) {
      if (!(error instanceof BucketFailed && error.code === NO_SUCH_KEY)) throw error
    }
  }

  /** All objects under the prefix, a thousand at a time, each with its name. */
  async *list(): AsyncGenerator<readonly { readonly name: string; readonly modifiedMs: number }[], void, undefined> {
    const { prefix } = this.#settings
    for (let next: string | undefined, first = true; first || next !== undefined; first = false) {
      const listing: Listing = await this.#listing(next === undefined ? {} : { 'continuation-token': next })
      const ours = listing.objects.filter(({ key }) => key.startsWith(prefix))
      yield ours.map(({ key, modifiedMs }) => ({ name: key.slice(prefix.length), modifiedMs }))
      next = listing.next
    }
  }

  /** Whether it answers, and lets us in. */
  async reach(): Promise<void> {
    await this.#listing({ 'max-keys': '1' })
  }

  /** Writes, reads and removes an object: whether we may do all that we need. */
  async tryOut(name: string): Promise<void> {
    await this.reach()
    const bytes = Buffer.from('written to see whether it can be')
    await this.put(name, bodyOf(bytes))
    const back = await this.part(name, 0, bytes.length)
    await this.remove(name)
    if (back === undefined || !bytes.equals(back.bytes))
      throw new BucketFailed('NotConsistent', 'What was written is not what is read')
  }

  close(): void {
    this.#connections.close()
  }

  #keyOf(name: string): string {
    return this.#settings.prefix + name
  }

  async #listing(more: Readonly<Record<string, string>>): Promise<Listing> {
    const { prefix } = this.#settings
    const query = { 'list-type': '2', ...(prefix !== '' && { prefix }), ...more }
    return readListing(Buffer.from((await this.#ask({ method: 'GET', query })).bytes).toString())
  }

  async #ask(request: S3Request): Promise<S3Answer> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#askOnce(request)
      } catch (error) {
        if (tries === TRIES_MAX || !(error instanceof BucketFailed && error.isPassing)) throw error
        await sleep(RETRY_AFTER_MS * 4 ** (tries - 1) * (0.5 + Math.random()))
      }
    }
  }

  async #askOnce(request: S3Request): Promise<S3Answer> {
    const where = `The bucket ${this.#settings.name} at ${this.#settings.endpoint}`
    let answer: S3Answer
    try {
      answer = await this.#connections.send(request)
    } catch (cause) {
      const why = foreignText(cause instanceof Error ? cause.message || cause.name : String(cause))
      throw new BucketFailed(NO_CONNECTION, `${where} does not answer: ${why}`, { cause })
    }
    if (answer.status >= 200 && answer.status <= 299) return answer
    const said = readError(Buffer.from(answer.bytes).toString())
    const code = foreignText(said?.code ?? `HTTP ${answer.status}`)
    const text = `${where} answers ${answer.status} ${code}: ${foreignText(said?.message ?? '')}`
    throw new BucketFailed(code, text, {
      isPassing: PASSING.has(code) || answer.status >= 500 || answer.status === 429,
    })
  }
}

/** Of bytes in memory. */
export const bodyOf = (bytes: Uint8Array): S3Body => ({
  lengthBytes: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  open: () => Readable.from([bytes], { objectMode: false }),
})
