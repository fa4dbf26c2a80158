/** The connection that writes: at most one transaction at a time, and never one that outlives its connection. */
import { Client } from 'pg'
import type { News } from './dialect.ts'
import { type PostgresSettings, toParameter } from './postgres-settings.ts'
import { CHANGES_CHANNEL, QUEUE_CHANNEL } from './postgres-watch.ts'

export class PostgresWriter {
  readonly #settings: PostgresSettings
  #client: Client | undefined
  /** The connection whose transaction runs. When it is lost, the transaction is lost, whatever connects next. */
  #transaction: Client | undefined
  /** Statements whose answers are looked at when the transaction ends, so that nobody waits for each. */
  #unanswered: Promise<unknown>[] = []

  constructor(settings: PostgresSettings) {
    this.#settings = settings
  }

  /** Connects when that is needed. */
  async begin(): Promise<void> {
    this.#client ??= await this.#connect()
    this.#transaction = this.#client
    this.#unanswered = []
    this.#send('BEGIN')
  }

  /** Throws when the server has not made it durable, or has not said so: then it may have. */
  async commit({ noted, queued }: News): Promise<void> {
    if (noted) this.#send(`NOTIFY ${CHANGES_CHANNEL}`)
    if (queued) this.#send(`NOTIFY ${QUEUE_CHANNEL}`)
    const committed = this.#current().query('COMMIT')
    const [{ command }] = await Promise.all([committed, ...this.#unanswered])
    this.#transaction = undefined
    // a transaction in which a statement has failed ends like this, and without an error
    if (command !== 'COMMIT') throw new Error(`The database answered COMMIT with ${command}`)
  }

  async rollback(): Promise<void> {
    const client = this.#transaction
    this.#transaction = undefined
    await Promise.allSettled(this.#unanswered)
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

  releaseSavepoint(): void {
    this.#send('RELEASE SAVEPOINT work')
  }

  async rollbackToSavepoint(): Promise<void> {
    await this.#current().query('ROLLBACK TO SAVEPOINT work')
    this.#send('RELEASE SAVEPOINT work')
  }

  async query(text: string, parameters: readonly unknown[], name?: string): Promise<Record<string, unknown>[]> {
    const query = { text, values: parameters.map(toParameter), ...(name !== undefined && { name }) }
    const { rows } = await this.#current().query<Record<string, unknown>>(query)
    return rows
  }

  async close(): Promise<void> {
    await this.#client?.end().catch(() => undefined)
  }

  #current(): Client {
    if (this.#transaction === undefined || this.#transaction !== this.#client)
      throw new Error('The connection to the database was lost')
    return this.#transaction
  }

  #send(sql: string): void {
    const answer = this.#current().query(sql)
    answer.catch(() => undefined) // looked at when the transaction ends
    this.#unanswered.push(answer)
  }

  async #connect(): Promise<Client> {
    const client = new Client({ ...this.#settings, pipeline: true })
    client.on('error', () => this.#drop(client)) // what ran on it fails and says why
    client.on('end', () => this.#drop(client))
    await client.connect()
    return client
  }

  #drop(client: Client): void {
    if (this.#client === client) this.#client = undefined
    void client.end().catch(() => undefined)
  }
}
