/** Runs the work of protection in worker threads, and turns what became of a worker into a reply. */
import { isAscii } from 'node:buffer'
import type { WorkerOutcome } from '../base/job-thread.ts'
import type { WorkerPool } from '../base/worker-pool.ts'
import { concatBytes } from '../base/bytes.ts'
import { inPieces } from '../base/in-pieces.ts'
import { ownCopy, ownsBuffer } from '../base/serve-jobs.ts'
import type { JudgeJob, JudgeReport, PeelJob, PeelReport } from '../protection/jobs.ts'
import { type Reply, reply } from '../protocol/smtp-reply.ts'
import type { BytesWriter, FinishedBytes } from '../store/bytes/bytes-writer.ts'
import type { MessageBytes } from '../store/bytes/message-bytes.ts'
import type { ProtectionJob, ProtectionOutcome, SignedWrapJob } from './protection-worker.ts'

/** Messages up to this size go to the worker in one piece. */
export const ONE_PIECE_MAX_BYTES = 512 * 1024
/** Larger ones in pieces of this size at least; the last may be smaller. */
const PIECE_MIN_BYTES = 64 * 1024

export type ProtectionPool = WorkerPool<ProtectionJob, ProtectionOutcome>

/** One protected copy, sealed at rest and durable, not yet in the database. */
export interface ProtectedCopy {
  readonly bytes: FinishedBytes
  /** Has octets above 127 (RFC 6152). */
  readonly eightBit: boolean
}

/** A2 and A3 for every copy in one pass over the body. Nothing in clear is written anywhere. */
export async function protectCopies(
  pool: ProtectionPool,
  bytes: MessageBytes,
  wanted: SignedWrapJob,
  body: AsyncIterable<Uint8Array>,
): Promise<readonly ProtectedCopy[] | Reply> {
  const job = { ...wanted, header: ownCopy(wanted.header), trace: ownCopy(wanted.trace) }
  const copies = job.copies.map(() => new CopyWriter(bytes.writer()))
  try {
    const { first, rest } = await readAhead(body, ONE_PIECE_MAX_BYTES)
    const outcome =
      rest === undefined
        ? await pool.run({ ...job, body: ownCopy(first) })
        : await pool.runStream(job, inPieces(chain(first, rest), PIECE_MIN_BYTES), (chunk, channel) =>
            (copies[channel] as CopyWriter).write(chunk),
          )
    if (outcome.kind !== 'done') return await failed(copies, outcome)
    if (outcome.value.kind !== 'wrapped') throw new TypeError('the worker answered another question')
    const made = outcome.value.copies
    if (rest !== undefined) return await Promise.all(copies.map((copy, index) => copy.finish(made[index])))
    for (const [index, copy] of made.entries()) await (copies[index] as CopyWriter).write(copy)
    return await Promise.all(copies.map((copy) => copy.finish()))
  } catch (error) {
    await Promise.all(copies.map((copy) => copy.abort()))
    throw error
  }
}

async function failed(copies: readonly CopyWriter[], outcome: WorkerOutcome<ProtectionOutcome>): Promise<Reply> {
  await Promise.all(copies.map((copy) => copy.abort()))
  return workerReply(outcome)
}

/** B2 to B4 for every recipient. `job.raw` is given away: do not use it again. */
export async function peelFor(pool: ProtectionPool, job: PeelJob): Promise<readonly PeelReport[] | Reply> {
  const transfer = job.raw.length > ONE_PIECE_MAX_BYTES && ownsBuffer(job.raw) ? [job.raw.buffer] : []
  const outcome = await pool.run(job, { transfer })
  if (outcome.kind !== 'done') return workerReply(outcome)
  if (outcome.value.kind !== 'peeled') throw new TypeError('the worker answered another question')
  return outcome.value.reports
}

/** The signers of mails that have been opened, judged again. */
export async function judgeFor(pool: ProtectionPool, job: JudgeJob): Promise<readonly JudgeReport[] | Reply> {
  const outcome = await pool.run(job)
  if (outcome.kind !== 'done') return workerReply(outcome)
  if (outcome.value.kind !== 'judged') throw new TypeError('the worker answered another question')
  return outcome.value.reports
}

/** A mail that costs its worker is answered "later"; it has hurt nobody else. */
export function workerReply(outcome: WorkerOutcome<ProtectionOutcome>): Reply {
  return outcome.kind === 'overloaded'
    ? reply(451, '4.3.2', 'Too busy to work on the message now; try again')
    : reply(451, '4.3.0', 'Working on the message took too much; try again')
}

class CopyWriter {
  readonly #writer: BytesWriter
  #eightBit = false

  constructor(writer: BytesWriter) {
    this.#writer = writer
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#eightBit ||= !isAscii(chunk)
    await this.#writer.write(chunk)
  }

  /** `signatures` go in front of what was written. */
  async finish(signatures?: Uint8Array): Promise<ProtectedCopy> {
    const front = signatures?.length === 0 ? undefined : signatures
    return { bytes: await this.#writer.finish(front), eightBit: this.#eightBit }
  }

  abort(): Promise<void> {
    return this.#writer.abort()
  }
}

/** All of it when it is no more than that; otherwise its beginning and what follows. */
export async function readAhead(
  body: AsyncIterable<Uint8Array>,
  wholeMaxBytes: number,
): Promise<{ first: Uint8Array; rest: AsyncIterator<Uint8Array> | undefined }> {
  const chunks = body[Symbol.asyncIterator]()
  const read: Uint8Array[] = []
  let lengthBytes = 0
  while (lengthBytes <= wholeMaxBytes) {
    const next = await chunks.next()
    if (next.done === true) return { first: concatBytes(read), rest: undefined }
    read.push(next.value)
    lengthBytes += next.value.length
  }
  return { first: concatBytes(read), rest: chunks }
}

export async function* chain(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  yield first
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}
