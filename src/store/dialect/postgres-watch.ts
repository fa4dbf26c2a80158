/** The connection that listens: what other nodes have done, what time it is for all of them, and who keeps house. */
import { Client } from 'pg'
import { setTimeout as wait } from 'node:timers/promises'
import type { Clock } from '../../base/clock.ts'
import * as events from '../../base/events.ts'
import { NOT_CONNECTED, type PostgresSettings } from './postgres-settings.ts'

export const CHANGES_CHANNEL = 'sealpost_changes'
export const QUEUE_CHANNEL = 'sealpost_queue'

/** Between two questions for the time, which also show whether the connection is alive. */
const LOOK_EVERY_MS = 10_000
const ANSWER_MAX_MS = 5_000
const CONNECT_AGAIN_MS = 500

/** Its clock is the database's: nodes whose own clocks differ agree on what is due, and on when a lease ends. */
export class PostgresWatch implements Clock {
  readonly #settings: PostgresSettings
  readonly #listeners: (() => void)[] = []
  readonly #stopping = new AbortController()
  #client: Client | undefined
  #mark = 0
  /** Of the database's clock before `performance.now()`. */
  #aheadMs = 0
  #watching: Promise<void> = Promise.resolve()

  constructor(settings: PostgresSettings) {
    this.#settings = { ...settings, query_timeout: ANSWER_MAX_MS }
  }

  /** Throws when the database cannot be reached now; later it is tried again until `close`. */
  async start(): Promise<void> {
    this.#client = await this.#connect()
    this.#watching = this.#watch()
  }

  nowMs(): number {
    return Math.round(performance.now() + this.#aheadMs)
  }

  /** While nobody listens, everything may have changed. */
  othersMark(): number {
    return this.#client === undefined ? ++this.#mark : this.#mark
  }

  onQueued(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** The lock ends with the connection: a node that dies, or is cut off, does not keep others from it. */
  async unlessBusy(name: string, work: () => Promise<void>): Promise<void> {
    const client = this.#client
    if (client === undefined) return
    const { rows } = await client.query<{ had: boolean }>(
      'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS had',
      [`sealpost ${name}`],
    )
    if (rows[0]?.had !== true) return
    try {
      await work()
    } finally {
      await client
        .query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [`sealpost ${name}`])
        .catch(() => undefined)
    }
  }

  async close(): Promise<void> {
    this.#stopping.abort()
    await this.#watching
    await this.#client?.end().catch(() => undefined)
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopping
    for (;;) {
      await wait(this.#client === undefined ? CONNECT_AGAIN_MS : LOOK_EVERY_MS, undefined, {
        signal,
        ref: false,
      }).catch(() => undefined)
      if (signal.aborted) return
      try {
        if (this.#client === undefined) this.#client = await this.#connect()
        else await this.#readClock(this.#client)
      } catch (error) {
        this.#lost(this.#client, error)
      }
    }
  }

  async #connect(): Promise<Client> {
    const client = new Client({ ...this.#settings, pipeline: true })
    client.on('error', (error) => this.#lost(client, error))
    client.on('end', () => this.#lost(client, new Error('the connection was closed')))
    client.on('notification', ({ channel }) => {
      if (channel === CHANGES_CHANNEL) this.#mark++
      else this.#tellQueued()
    })
    try {
      await client.connect()
      await client.query(`LISTEN ${CHANGES_CHANNEL}; LISTEN ${QUEUE_CHANNEL}`)
      await this.#readClock(client)
    } catch (error) {
      void client.end().catch(() => undefined)
      throw error
    }
    this.#mark++ // what happened before we listened
    this.#tellQueued()
    return client
  }

  async #readClock(client: Client): Promise<void> {
    const askedMs = performance.now()
    const { rows } = await client.query<{ ms: number }>(
      'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms',
    )
    const answeredMs = performance.now()
    if (rows[0] !== undefined) this.#aheadMs = rows[0].ms - (askedMs + answeredMs) / 2
  }

  #tellQueued(): void {
    for (const listener of this.#listeners) listener()
  }

  #lost(client: Client | undefined, error: unknown): void {
    if (client === undefined || client !== this.#client || this.#stopping.signal.aborted) return
    this.#client = undefined
    events.trouble({ during: NOT_CONNECTED, error })
    void client.end().catch(() => undefined)
  }
}
