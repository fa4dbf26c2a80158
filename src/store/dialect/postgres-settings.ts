/** How one talks to PostgreSQL: every wait has an end, and values are what the rest of the store takes and gives. */
import { type ClientConfig, type CustomTypesConfig, types } from 'pg'

const CONNECT_MAX_MS = 5_000
/** What a lost connection looks like, when nobody says so: then it is closed, and what ran on it has failed. */
const ANSWER_MAX_MS = 20_000
/** The server gives up a little earlier: what it says is better than silence. */
const STATEMENT_MAX_MS = 15_000
/** A row that another node is changing. */
const LOCK_WAIT_MAX_MS = 5_000
/** A node that was cut off in the middle of a transaction must not hold its locks for ever. */
const IDLE_IN_TRANSACTION_MAX_MS = 30_000
const KEEP_ALIVE_MS = 10_000

export const NOT_CONNECTED = 'talking to the database'

export type PostgresSettings = Omit<ClientConfig, 'options' | 'pipeline'>

export function postgresSettings(url: string, { patient }: { readonly patient: boolean }): PostgresSettings {
  const settings: PostgresSettings = {
    connectionString: url,
    application_name: 'sealpost',
    connectionTimeoutMillis: CONNECT_MAX_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    lock_timeout: LOCK_WAIT_MAX_MS,
    types: TYPES,
  }
  if (patient) return settings
  return {
    ...settings,
    query_timeout: ANSWER_MAX_MS,
    statement_timeout: STATEMENT_MAX_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MAX_MS,
  }
}

/** Values as SQLite gives them: whole numbers of 64 bits as numbers, not as text; octets without the methods of Buffer. */
const PARSERS: Readonly<Record<number, (text: string) => unknown>> = {
  [types.builtins.INT8]: toNumber,
  [types.builtins.BYTEA]: toBytes,
}
const parseBytes = types.getTypeParser(types.builtins.BYTEA) as (text: string) => Buffer
const TYPES: CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text') =>
    PARSERS[oid] ?? (types.getTypeParser(oid, format) as (text: string) => unknown)) as typeof types.getTypeParser,
}

function toBytes(text: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = parseBytes(text)
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function toNumber(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number)) throw new RangeError(`${text} in the database is larger than a number can say`)
  return number
}

/** Text of PostgreSQL holds no NUL, and what strangers write into a header may. */
export const toParameter = (value: unknown): unknown =>
  typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value

const statementNames = new Map<string, string>()

/** By which the server knows a statement that it has parsed once for a connection. Of statements that are built once, too. */
export function statementName(sql: string): string {
  const known = statementNames.get(sql) ?? `s${statementNames.size}`
  statementNames.set(sql, known)
  return known
}
