/** The connection that writes: at most one transaction at a time, and never one that outlives its connection. */
import { Client } from 'pg'
import type { CompiledQuery } from 'kysely'
import { NotWritten, type News } from './dialect.ts'
import { type LateWriter, type RowKind, WaitingRows } from './late-writer.ts'
import { type PostgresSettings, statementName, toParameter } from './postgres-settings.ts'
import { CHANGES_CHANNEL, QUEUE_CHANNEL } from './postgres-watch.ts'

/** Drawn in one go; ids of a node that has little to do shall not be much older than those of others. */
const IDS_AT_ONCE = 64
const IDS_KEEP_MS = 1_000
const DRAW_IDS = `SELECT nextval(pg_get_serial_sequence($1, 'id')) AS id FROM generate_series(1, ${IDS_AT_ONCE})`

export class PostgresWriter implements LateWriter {
  readonly #settings: PostgresSettings
  #client: Client | undefined
  /** The connection whose transaction runs. When it is lost, the transaction is lost, whatever connects next. */
  #transaction: Client | undefined
  /** Statements whose answers are looked at when the transaction ends, so that nobody waits for each. */
  #unanswered: Promise<unknown>[] = []
  readonly #waiting = new WaitingRows()
  /** By table. */
  readonly #drawn = new Map<string, { readonly atMs: number; readonly ids: Promise<number[]> }>()

  constructor(settings: PostgresSettings) {
    this.#settings = settings
  }

  /** Connects when that is needed. */
  async begin(): Promise<void> {
    this.#client ??= await this.#connect()
    this.#transaction = this.#client
    this.#forget()
    this.#send('BEGIN')
  }

  /** Throws when the server has not said that it is durable: then it may be, unless that is NotWritten. */
  async commit({ noted, queued }: News): Promise<void> {
    this.#sendWaiting()
    if (noted) this.#send(`NOTIFY ${CHANGES_CHANNEL}`)
    if (queued) this.#send(`NOTIFY ${QUEUE_CHANNEL}`)
    const committed = this.#current().query('COMMIT')
    const [answers, { command }] = await Promise.all([Promise.allSettled(this.#unanswered), committed])
    this.#transaction = undefined
    const failed = answers.find((answer) => answer.status === 'rejected')
    // a transaction in which a statement has failed ends like this, and without an error
    if (command !== 'COMMIT')
      throw new NotWritten(`The database answered COMMIT with ${command}`, { cause: failed?.reason })
    if (failed !== undefined) throw failed.reason
  }

  async rollback(): Promise<void> {
    const client = this.#transaction
    this.#transaction = undefined
    await Promise.allSettled(this.#unanswered)
    this.#forget()
    if (client === undefined || client !== this.#client) return
    try {
      await client.query('ROLLBACK')
    } catch {
      this.#drop(client) // the server ends the transaction with the connection
    }
  }

  savepoint(): void {
    this.#send('SAVEPOINT work')
  }

  /** Throws when anything that was written since is wrong. */
  async releaseSavepoint(): Promise<void> {
    this.#sendWaiting()
    this.#send('RELEASE SAVEPOINT work')
    await Promise.all(this.#unanswered)
  }

  async rollbackToSavepoint(): Promise<void> {
    await Promise.allSettled(this.#unanswered)
    this.#forget()
    await this.#current().query('ROLLBACK TO SAVEPOINT work')
    this.#send('RELEASE SAVEPOINT work')
  }

  query(text: string, parameters: readonly unknown[], name?: string): Promise<Record<string, unknown>[]> {
    this.#sendWaiting()
    return this.#query(text, parameters, name)
  }

  async newId(table: string): Promise<number> {
    for (;;) {
      const drawn = this.#drawn.get(table)
      const isFresh = drawn !== undefined && performance.now() < drawn.atMs + IDS_KEEP_MS
      const id = isFresh ? (await drawn.ids).shift() : undefined
      if (id !== undefined) return id
      if (this.#drawn.get(table) === drawn) this.#drawn.set(table, { atMs: performance.now(), ids: this.#draw(table) })
    }
  }

  insert<Row>(kind: RowKind, statement: (rows: readonly Row[]) => CompiledQuery, row: Row): void {
    this.#waiting.add(kind, statement, row)
  }

  later(answer: Promise<unknown>): void {
    answer.catch(() => undefined) // looked at when the transaction ends
    this.#unanswered.push(answer)
  }

  async close(): Promise<void> {
    await this.#client?.end().catch(() => undefined)
  }

  #current(): Client {
    if (this.#transaction === undefined || this.#transaction !== this.#client)
      throw new Error('The connection to the database was lost')
    return this.#transaction
  }

  async #query(text: string, parameters: readonly unknown[], name?: string): Promise<Record<string, unknown>[]> {
    const query = { text, values: parameters.map(toParameter), ...(name !== undefined && { name }) }
    const { rows } = await this.#current().query<Record<string, unknown>>(query)
    return rows
  }

  async #draw(table: string): Promise<number[]> {
    try {
      const rows = await this.#query(DRAW_IDS, [table], statementName(DRAW_IDS))
      return rows.map((row) => row['id'] as number)
    } catch (error) {
      this.#drawn.delete(table)
      throw error
    }
  }

  #send(sql: string): void {
    this.later(this.#current().query(sql))
  }

  #sendWaiting(): void {
    for (const { sql, parameters } of this.#waiting.take()) this.later(this.#query(sql, parameters, statementName(sql)))
  }

  #forget(): void {
    this.#waiting.take()
    this.#unanswered = []
  }

  async #connect(): Promise<Client> {
    const client = new Client({ ...this.#settings, pipeline: true })
    client.on('error', () => this.#drop(client)) // what ran on it fails and says why
    client.on('end', () => this.#drop(client))
    await client.connect()
    this.#drawn.clear() // a server that had to recover may give what was drawn and not written a second time
    return client
  }

  #drop(client: Client): void {
    if (this.#client === client) this.#client = undefined
    void client.end().catch(() => undefined)
  }
}
