/**
 * A mail that came in: whole in memory, or, when it is too large for that, its beginning in memory and all of it sealed on the
 * disk. Both are opened, shown and kept by the same rules; only here is the difference known.
 */
import { ownCopy } from '../base/serve-jobs.ts'
import { parsePart } from '../message/parse.ts'
import { type Part, bodyOf } from '../message/part.ts'
import type { Findings, PackedRing, PeelReport } from '../protection/jobs.ts'
import type { Reply } from '../protocol/smtp-reply.ts'
import type { FinishedBytes } from '../store/bytes/bytes-writer.ts'
import type { MessageBytes } from '../store/bytes/message-bytes.ts'
import { LargeOpening, OpeningFailed } from './large-opening.ts'
import { type ProtectionPool, chain, peelFor, readAhead, workerReply } from './protect.ts'

/** Mail up to this size is opened in memory, where that takes some seven times as much. */
export const IN_MEMORY_MAX_BYTES = 4 * 2 ** 20

/** What is put before the body in place of the header of this part, whose body may go on where the part ends. */
export type MakeHead = (shown: Part) => readonly Uint8Array[]

export interface ArrivedMail extends AsyncDisposable {
  /** As it came; of a large one the beginning, which holds all of the header. */
  readonly message: Part
  readonly sizeBytes: number
  /** As it came, what follows the header; as often as wanted. */
  body(): AsyncIterable<Uint8Array>
  /** B2 to B4 for every recipient, or what to answer when the worker could not do it. Again only when that is disposed of. */
  open(pool: ProtectionPool, rings: readonly PackedRing[], atMs: number): Promise<OpenedMail | Reply>
  /** Sealed at rest, with another header. */
  seal(makeHead: MakeHead): Promise<FinishedBytes>
  /** Sealed at rest, as it came. Once. */
  sealOriginal(): Promise<FinishedBytes>
}

export interface OpenedMail extends AsyncDisposable {
  /** One for each recipient. */
  readonly reports: readonly Findings[]
  /** What was opened for this recipient, sealed at rest with another header; the mail as it came when nothing was opened. */
  seal(index: number, makeHead: MakeHead): Promise<FinishedBytes>
}

/** Takes all of a mail. Throws what `content` throws; nothing is left of it then. */
export async function arrive(content: AsyncIterable<Uint8Array>, bytes: MessageBytes): Promise<ArrivedMail> {
  const { first, rest } = await readAhead(content, IN_MEMORY_MAX_BYTES)
  if (rest === undefined) return new SmallMail(first, bytes)
  await using writer = bytes.writer()
  for await (const chunk of chain(first, rest)) await writer.write(chunk)
  return new LargeMail(parsePart(ownCopy(first)), await writer.finish(), bytes)
}

class SmallMail implements ArrivedMail {
  readonly message: Part
  readonly #bytes: MessageBytes

  constructor(raw: Uint8Array, bytes: MessageBytes) {
    this.message = parsePart(raw)
    this.#bytes = bytes
  }

  get sizeBytes(): number {
    return this.message.raw.length
  }

  // oxlint-disable-next-line require-await -- as the other one, which reads
  async *body(): AsyncIterable<Uint8Array> {
    yield bodyOf(this.message)
  }

  async open(pool: ProtectionPool, rings: readonly PackedRing[], atMs: number): Promise<OpenedMail | Reply> {
    const reports = await peelFor(pool, { kind: 'peel', raw: ownCopy(this.message.raw), atMs, rings })
    if ('code' in reports) return reports
    return {
      reports,
      seal: (index, makeHead) => this.#sealPart(shownBy(reports[index]) ?? this.message, makeHead),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
  }

  seal(makeHead: MakeHead): Promise<FinishedBytes> {
    return this.#sealPart(this.message, makeHead)
  }

  sealOriginal(): Promise<FinishedBytes> {
    return this.#bytes.seal(this.message.raw)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }

  #sealPart(shown: Part, makeHead: MakeHead): Promise<FinishedBytes> {
    return this.#bytes.seal(...makeHead(shown), bodyOf(shown))
  }
}

const shownBy = (report: PeelReport | undefined): Part | undefined =>
  report?.message === undefined ? undefined : parsePart(report.message)

class LargeMail implements ArrivedMail {
  readonly message: Part
  readonly #original: FinishedBytes
  readonly #bytes: MessageBytes
  #kept = false

  constructor(message: Part, original: FinishedBytes, bytes: MessageBytes) {
    this.message = message
    this.#original = original
    this.#bytes = bytes
  }

  get sizeBytes(): number {
    return this.#original.sizeBytes
  }

  async *body(): AsyncIterable<Uint8Array> {
    yield bodyOf(this.message)
    yield* this.#rest()
  }

  async open(pool: ProtectionPool, rings: readonly PackedRing[], atMs: number): Promise<OpenedMail | Reply> {
    const file = await this.#bytes.sealedFile(this.#original)
    const opening = new LargeOpening(pool, { kind: 'peel-large', file, rings, atMs })
    try {
      const reports = await opening.reports()
      return {
        reports: reports.map(({ findings }) => findings),
        seal: (index, makeHead) =>
          reports[index]?.shown === 'opened'
            ? this.#sealChunks((onChunk) => opening.copy(index, onChunk), makeHead)
            : this.seal(makeHead),
        [Symbol.asyncDispose]: () => opening[Symbol.asyncDispose](),
      }
    } catch (error) {
      await opening[Symbol.asyncDispose]()
      if (error instanceof OpeningFailed) return workerReply(error.outcome)
      throw error
    } finally {
      await this.#bytes.releaseFile(file) // the thread has opened it
    }
  }

  seal(makeHead: MakeHead): Promise<FinishedBytes> {
    return this.#sealChunks(async (onChunk) => {
      await onChunk(this.message.raw)
      for await (const chunk of this.#rest()) await onChunk(chunk)
    }, makeHead)
  }

  /** What is not in memory. */
  async *#rest(): AsyncIterable<Uint8Array> {
    let skipBytes = this.message.raw.length
    for await (const chunk of this.#bytes.streamFinished(this.#original)) {
      if (chunk.length > skipBytes) yield chunk.subarray(skipBytes)
      skipBytes = Math.max(0, skipBytes - chunk.length)
    }
  }

  sealOriginal(): Promise<FinishedBytes> {
    this.#kept = true
    return Promise.resolve(this.#original)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#kept) await this.#bytes.discard(this.#original)
  }

  /** The first chunk holds all of the header. */
  async #sealChunks(
    pull: (onChunk: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
    makeHead: MakeHead,
  ): Promise<FinishedBytes> {
    await using writer = this.#bytes.writer()
    let begun = false
    await pull(async (chunk) => {
      if (begun) return await writer.write(chunk)
      begun = true
      const shown = parsePart(chunk)
      for (const piece of [...makeHead(shown), bodyOf(shown)]) await writer.write(piece)
    })
    return await writer.finish()
  }
}
