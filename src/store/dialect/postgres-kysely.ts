/** kysely over a function that runs one statement; what is compiled already goes by name, and is parsed by the server once. */
import {
  type Compilable,
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely'
import type { Schema } from '../schema.ts'
import { statementName } from './postgres-settings.ts'

/** `name`: it will be run again with other parameters. */
export type RunStatement = (
  sql: string,
  parameters: readonly unknown[],
  name?: string,
) => Promise<Record<string, unknown>[]>

export class PostgresKysely extends Kysely<Schema> {
  readonly #run: RunStatement

  constructor(run: RunStatement) {
    super({
      dialect: {
        createAdapter: () => new PostgresAdapter(),
        createDriver: () => new StatementDriver(run),
        createIntrospector: (db) => new PostgresIntrospector(db),
        createQueryCompiler: () => new PostgresQueryCompiler(),
      },
    })
    this.#run = run
  }

  override async executeQuery<Row>(query: CompiledQuery<Row> | Compilable<Row>): Promise<QueryResult<Row>> {
    if (!('sql' in query)) return super.executeQuery(query)
    const rows = await this.#run(query.sql, query.parameters, statementName(query.sql))
    return { rows: rows as Row[] }
  }
}

/** Transactions are not its business: they are begun and ended by transaction.ts. */
class StatementDriver implements Driver {
  readonly #connection: DatabaseConnection

  constructor(run: RunStatement) {
    this.#connection = {
      async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
        return { rows: (await run(sql, parameters)) as Row[] }
      },
      streamQuery: notHere,
    }
  }

  async init(): Promise<void> {}

  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve(this.#connection)
  }

  async releaseConnection(): Promise<void> {}

  beginTransaction = notHere
  commitTransaction = notHere
  rollbackTransaction = notHere

  async destroy(): Promise<void> {}
}

function notHere(): never {
  throw new Error('The store has one way to make transactions, and none to stream rows')
}
