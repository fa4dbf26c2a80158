/**
 * A large mail in its worker thread: opened for every recipient first, and then, for those that the gateway asks for, handed
 * out. The first chunk that comes says "open"; each further one names a recipient whose message is wanted.
 */
import { dirname } from 'node:path'
import { serialize } from 'node:v8'
import { concatBytes } from '../base/bytes.ts'
import type { JobOutput, JobStream } from '../base/serve-jobs.ts'
import { type Findings, type LargeOpened, type PackedRing, openLarge } from '../protection/jobs.ts'
import { type SealedFile, openSealedFile, openSpill } from '../store/bytes/spill-file.ts'

export interface LargePeelJob {
  readonly kind: 'peel-large'
  readonly file: SealedFile
  readonly atMs: number
  /** One for each recipient: the keys that may open the mail for that recipient, nobody else's. */
  readonly rings: readonly PackedRing[]
}

/** What is said of each recipient's message before any of it is handed out. */
export interface LargeReport {
  readonly findings: Findings
  readonly shown: LargeOpened['shown']['kind']
}

export interface LargeOutcome {
  readonly kind: 'closed'
}

/** A recipient's index as a chunk. */
export const question = (index: number): Uint8Array => Uint8Array.of(index >> 8, index & 0xff)
const indexOf = (asked: Uint8Array): number => ((asked[0] ?? 0) << 8) | (asked[1] ?? 0)

/** On this channel come the reports; on the one after it the messages, each ended by an empty chunk. */
export const REPORTS = 0
export const MESSAGE = 1

export class LargeOpeningJob implements JobStream<LargeOutcome> {
  readonly #job: LargePeelJob
  readonly #output: JobOutput
  readonly #file: ReturnType<typeof openSealedFile>
  #opened: LargeOpened[] | undefined

  constructor(job: LargePeelJob, output: JobOutput) {
    this.#job = job
    this.#output = output
    this.#file = openSealedFile(job.file)
  }

  async write(asked: Uint8Array): Promise<void> {
    if (this.#opened === undefined) this.#open()
    else await this.#handOut(this.#opened[indexOf(asked)])
  }

  end(): LargeOutcome {
    this.abort()
    return { kind: 'closed' }
  }

  abort(): void {
    for (const each of this.#opened?.splice(0) ?? []) each[Symbol.dispose]()
    this.#file.close()
  }

  #open(): void {
    const { file, rings, atMs } = this.#job
    const folder = dirname(file.path)
    this.#opened = []
    for (const ring of rings) this.#opened.push(openLarge(this.#file.range, ring, atMs, () => openSpill(folder)))
    const reports = this.#opened.map(({ findings, shown }): LargeReport => ({ findings, shown: shown.kind }))
    this.#output.write(serialize(reports), REPORTS)
  }

  /** The first chunk holds all of the header. */
  async #handOut(opened: LargeOpened | undefined): Promise<void> {
    if (opened?.shown.kind !== 'opened') throw new TypeError('there is nothing to hand out')
    let header: Uint8Array | undefined
    for (const piece of opened.shown.pieces) {
      if (header === undefined) header = piece
      else {
        this.#output.write(header.length === 0 ? piece : concatBytes([header, piece]), MESSAGE)
        header = NOTHING
      }
      await this.#output.drained()
    }
    if (header !== undefined && header.length > 0) this.#output.write(header, MESSAGE)
    this.#output.write(NOTHING, MESSAGE)
  }
}

const NOTHING = new Uint8Array()
