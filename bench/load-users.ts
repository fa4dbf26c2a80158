/**
 * Very many users in a PostgreSQL database. Some of them are made as the product makes them, keys and all; the others are
 * copies of the first one's rows under addresses and fingerprints of their own: they are found, but their keys do not open.
 */
import { setImmediate as breath } from 'node:timers/promises'
import type { Desk } from '../src/admin/desk.ts'
import { enrol } from '../src/keys/enrol.ts'
import type { Address } from '../src/message/address.ts'
import type { PostgresServer } from '../test/support/postgres.ts'

/** Rows of each table that are copied in one statement. */
const COPIED_AT_ONCE = 20_000

export interface UserBase {
  readonly server: PostgresServer
  readonly url: string
  readonly desk: Desk
  readonly domain: string
  /** Of all of them. */
  readonly password: string
}

/** Whose mail can be protected and opened; in the order in which they were made. */
export async function makeUsers(base: UserBase, from: number, to: number): Promise<Address[]> {
  const { desk, domain, password } = base
  const { algorithm: algorithms, openpgp, certificateValidityDays: validityDays } = desk.config.keys
  const passwordHash = await desk.passwords.hash(password)
  const made: Address[] = []
  for (let index = from; index < to; index++) {
    const address = `maker.${index}@${domain}` as Address
    const nowMs = desk.clock.nowMs()
    const order = { address, algorithms, openpgp, validityDays, nowMs, actor: 'benchmark', passwordHash }
    const enrolled = await enrol(desk, order)
    if (!enrolled.ok) throw new Error(`${address}: ${enrolled.error}`)
    made.push(address)
    await breath()
  }
  return made
}

/** Until there are `users`, with `made` more real ones spread among them; `progress` hears how many there are. */
export async function growTo(
  base: UserBase,
  { users, made, progress }: { readonly users: number; readonly made: number; readonly progress: (n: number) => void },
): Promise<Address[]> {
  const { server, url } = base
  const [first] = await server.query(url, 'SELECT address_key FROM accounts ORDER BY id LIMIT 1')
  const count = async (): Promise<number> =>
    Number((await server.query(url, 'SELECT count(*) AS n FROM accounts'))[0]?.['n'])
  const before = await count()
  const steps = Math.max(1, Math.ceil((users - before - made) / COPIED_AT_ONCE))
  const real: Address[] = []
  await setLogSize(base, '8GB') // each checkpoint would have every page of the indexes written whole once more
  let there = before
  for (let step = 1; step <= steps; step++) {
    const from = real.length
    real.push(...(await makeUsers(base, before + from, before + Math.round((made * step) / steps))))
    const until = before + Math.round(((users - before) * step) / steps)
    await copyUser(base, String(first?.['address_key']), there + real.length - from, until)
    there = until
    progress(there)
  }
  await setLogSize(base, '1GB')
  await server.query(url, 'VACUUM ANALYZE')
  await server.query(url, 'CHECKPOINT')
  return real
}

async function setLogSize({ server, url }: UserBase, size: string): Promise<void> {
  await server.query(url, `ALTER SYSTEM SET max_wal_size = '${size}'`)
  await server.query(url, 'SELECT pg_reload_conf()')
}

async function copyUser({ server, url, domain }: UserBase, owner: string, from: number, to: number): Promise<void> {
  for (const [table, ownerColumn] of [
    ['accounts', 'address_key'],
    ['certificates', 'address_key'],
    ['private_keys', 'owner_key'],
  ] as const) {
    const rows = await server.query(
      url,
      `SELECT column_name AS name FROM information_schema.columns
       WHERE table_name = '${table}' AND table_schema = 'public' AND column_name <> 'id'`,
    )
    const columns = rows.map(({ name }) => String(name))
    const values = columns.map((column) => copied(column, domain)).join(', ')
    await server.query(
      url,
      `INSERT INTO ${table} (${columns.join(', ')}) SELECT ${values}
       FROM ${table}, generate_series(${from + 1}, ${to}) AS n WHERE ${ownerColumn} = '${owner}'`,
    )
  }
}

/** In no order, as people's names are. */
function copied(column: string, domain: string): string {
  if (['address', 'address_key', 'owner', 'owner_key'].includes(column))
    return `substr(md5(n::text), 1, 16) || '@${domain}'`
  if (column === 'wkd_name') return `md5(n::text) || '@${domain}'` // as long as a hash of the directory
  if (column === 'fingerprint') return `left(md5(n || fingerprint) || md5(fingerprint || n), length(fingerprint))`
  return column
}
