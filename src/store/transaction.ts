/** Group commit: everything that waits at one moment shares one transaction, and so one fsync. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import * as events from '../base/events.ts'
import { type Dialect, NotWritten } from './dialect/dialect.ts'
import type { Tx } from './schema.ts'

/** Works in one transaction at most, so that the first does not wait too long for the last. */
const GROUP_MAX = 256

/** How often a work is done again that met another node's at the same moment. */
const TRIES_MAX = 4

interface Waiting {
  tries: number
  readonly work: (tx: Tx) => Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

/** What a transaction leaves to be done. */
export interface Aftermath {
  /** Names in the bytes folder that have no row any more: removed once the transaction is durable, never before. */
  readonly files: string[]
  /** Something that is cached in memory may have changed. */
  noted: boolean
  /** There may be mail in the queue that nobody has leased. */
  queued: boolean
}

export interface CommitterDeps {
  readonly dialect: Dialect
  /** Does not reject. */
  readonly removeFiles: (files: readonly string[]) => Promise<void>
  /** A transaction has noted a change (changes.ts); whether it was committed or not. */
  readonly noted: () => void
}

const aftermaths = new WeakMap<Tx, Aftermath>()

/** Of the transaction that runs. */
export function aftermathOf(tx: Tx): Aftermath {
  const aftermath = aftermaths.get(tx)
  if (aftermath === undefined) throw new Error('this is done in a transaction only')
  return aftermath
}

/** Since the store was opened. */
export interface CommitCounts {
  readonly groups: number
  readonly works: number
  readonly tookMs: number
}

export class Committer {
  readonly counts: { -readonly [Name in keyof CommitCounts]: CommitCounts[Name] } = { groups: 0, works: 0, tookMs: 0 }
  readonly #dialect: Dialect
  readonly #deps: CommitterDeps
  readonly #waiting: Waiting[] = []
  #running: Promise<void> | undefined
  #removing: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(deps: CommitterDeps) {
    this.#dialect = deps.dialect
    this.#deps = deps
  }

  /**
   * Runs `work` in a transaction that it shares with all other works waiting at that moment. Resolves with what `work`
   * returned, after the transaction is durable. Rejects when `work` throws (then only its own changes are undone) or when
   * the commit fails: then nothing of the whole group has happened, unless the disk would not sync for long or the answer of
   * the database was lost, when it may have, and whoever repeats it does it twice.
   * `work` must await nothing but calls on `tx`: everybody else's commit waits for it. It may run more than once, the
   * earlier runs undone, so it leaves its mark in `tx` and in what it returns only.
   */
  commit<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new Error('The store is closed'))
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#waiting.push({ tries: 1, work, resolve: (value) => resolve(value as T), reject })
    this.#running ??= this.#drain()
    return promise
  }

  /** Finishes what waits, then refuses more. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
    await this.#removing
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await nextTurn() // lets everything that arrived with this turn of the event loop join the group
      const group = this.#waiting.splice(0, GROUP_MAX)
      try {
        await this.#commitGroup(group)
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    this.#running = undefined
  }

  async #commitGroup(group: readonly Waiting[]): Promise<void> {
    const tx = this.#dialect.writer as Tx
    const aftermath: Aftermath = { files: [], noted: false, queued: false }
    const beganMs = performance.now()
    let done: (() => void)[]
    await this.#dialect.begin()
    aftermaths.set(tx, aftermath)
    try {
      done = await this.#runGroup(tx, group, aftermath)
    } catch (error) {
      await this.#dialect.rollback()
      throw error
    } finally {
      aftermaths.delete(tx)
      if (aftermath.noted) this.#deps.noted()
    }
    this.counts.groups++
    this.counts.works += done.length
    this.counts.tookMs += performance.now() - beganMs
    for (const resolve of done) resolve()
    const { files } = aftermath
    if (files.length > 0) this.#removing = Promise.all([this.#removing, this.#deps.removeFiles(files)])
  }

  /** Without savepoints at first: one for each work costs a copy of every page that it changes, and hardly a work throws. */
  async #runGroup(tx: Tx, group: readonly Waiting[], aftermath: Aftermath): Promise<(() => void)[]> {
    let committing = false
    try {
      const done: (() => void)[] = []
      for (const { work, resolve } of group) {
        const value = await work(tx)
        done.push(() => resolve(value))
      }
      committing = true
      await this.#dialect.commit(aftermath)
      return done
    } catch (error) {
      if (committing && !(error instanceof NotWritten)) throw error
      await this.#dialect.rollback()
      const done = await this.#runEachAlone(tx, group, aftermath)
      await this.#dialect.commit(aftermath)
      if (done.length === group.length)
        events.trouble({ during: 'a commit, which went through the second time', error })
      return done
    }
  }

  async #runEachAlone(tx: Tx, group: readonly Waiting[], aftermath: Aftermath): Promise<(() => void)[]> {
    await this.#dialect.begin()
    aftermath.files.length = 0
    const done: (() => void)[] = []
    for (const job of group) await this.#runAlone(tx, job, aftermath, done)
    return done
  }

  async #runAlone(tx: Tx, job: Waiting, { files }: Aftermath, done: (() => void)[]): Promise<void> {
    const filesBefore = files.length
    await this.#dialect.savepoint()
    try {
      const value = await job.work(tx)
      await this.#dialect.releaseSavepoint()
      done.push(() => job.resolve(value))
    } catch (error) {
      files.length = filesBefore
      await this.#dialect.rollbackToSavepoint() // throws when the database gave up the transaction (disk full): then all fail
      if (job.tries++ < TRIES_MAX && this.#dialect.isWorthAgain(error)) this.#waiting.push(job)
      else job.reject(error)
    }
  }
}
