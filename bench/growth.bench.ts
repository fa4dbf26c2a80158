/** Whether a server with a million users and a hundred thousand waiting mails is as quick as a new one. */
import { DatabaseSync } from 'node:sqlite'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { percentiles } from './measure.ts'
import type { Effort, Row } from './row.ts'
import { type SmtpDrain, startDrain } from './smtp-drain.ts'
import { type Pair, SENDER, build, outboundSide } from './versus.bench.ts'

const AIM = { atLeast: 0.8 }
const ROUNDS = 3

export async function growthRows({ smoke }: Effort): Promise<Row[]> {
  await using drain = await startDrain()
  await using pair = await build('ec-p256', drain)
  const mails = smoke ? 40 : 2_000
  const rows: Row[] = []
  let before: Measured | undefined
  for (const [what, grow] of [
    [`${smoke ? 100 : 1_000} users`, (db) => cloneUsers(db, smoke ? 100 : 1_000)],
    [`${smoke ? 2_000 : 1_000_000} users`, (db) => cloneUsers(db, smoke ? 2_000 : 1_000_000)],
    [`and ${smoke ? 1_000 : 100_000} waiting mails`, (db) => fillQueue(db, smoke ? 1_000 : 100_000)],
  ] satisfies [string, (db: DatabaseSync) => void][]) {
    await pair.sending.stop()
    using db = new DatabaseSync(await databaseOf(pair))
    grow(db)
    db.close()
    const startMs = await pair.sending.start()
    const measured = await measure(pair, drain, mails)
    rows.push({
      case: `submission, ec-p256, 5 kB: ${what}`,
      value: measured.perSecond,
      unit: '/s',
      ...percentiles(measured.times),
      ...(before && { against: [{ reference: 'before', ratio: measured.perSecond / before.perSecond, aim: AIM }] }),
    })
    rows.push({ case: `start to ready: ${what}`, value: startMs, unit: 'ms' })
    before ??= measured
  }
  return rows
}

interface Measured {
  /** Of the best round. */
  readonly perSecond: number
  readonly times: readonly number[]
}

async function measure(pair: Pair, drain: SmtpDrain, mails: number): Promise<Measured> {
  let perSecond = 0
  const times: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const startMs = performance.now()
    const took = await outboundSide(pair, drain).run(mails)
    if (round === 0) continue // warms it up
    perSecond = Math.max(perSecond, (mails / (performance.now() - startMs)) * 1000)
    times.push(...took)
  }
  return { perSecond, times }
}

async function databaseOf({ sending }: Pair): Promise<string> {
  const folder = dirname(sending.configFile)
  const name = (await readdir(folder)).find((each) => each.endsWith('.db') || each.endsWith('.sqlite'))
  if (name === undefined) throw new Error(`there is no database in ${folder}`)
  return join(folder, name)
}

/** Until there are so many: each has what our one user has, under another address and other fingerprints. */
function cloneUsers(db: DatabaseSync, users: number): void {
  const there = Number(db.prepare('select count(*) as n from accounts').get()?.['n'])
  const key = SENDER.toLowerCase()
  for (const [table, owner] of [
    ['accounts', 'address_key'],
    ['certificates', 'address_key'],
    ['private_keys', 'owner_key'],
  ] as const) {
    const columns = columnsOf(db, table)
    const values = columns.map((column) => {
      if (['address', 'address_key', 'owner', 'owner_key', 'wkd_name'].includes(column))
        return `'user' || n || '@biglobe.ne.jp'`
      return column === 'fingerprint' ? `printf('%064x', n)` : column
    })
    db.exec(
      `insert into ${table} (${columns.join(', ')}) with recursive counter(n) as (select ${there + 1} union all select n + 1 from counter where n < ${users}) select ${values.join(', ')} from ${table}, counter where ${owner} = '${key}'`,
    )
  }
}

/** Mail to a domain that is not due before tomorrow; they share their bytes. */
function fillQueue(db: DatabaseSync, mails: number): void {
  const nowMs = Date.now()
  const dueMs = nowMs + 24 * 60 * 60_000
  db.exec(
    `insert into bytes (created_ms, size_bytes, data_key_id, file, inline) select ${nowMs}, 5000, id, null, zeroblob(5000) from data_keys limit 1`,
  )
  const columns = columnsOf(db, 'queue')
  const given: Readonly<Record<string, string>> = {
    bytes_id: '(select max(id) from bytes)',
    mail_from: `'${SENDER}'`,
    recipient: `'user' || n || '@far.example'`,
    domain: `'far.example'`,
    queued_ms: String(nowMs),
    next_attempt_ms: String(dueMs),
    due_ms: String(dueMs),
    attempts: '1',
    state: `'ready'`,
    message_id: `'<' || n || '@biglobe.ne.jp>'`,
    body_kind: `'sealed'`,
    require_tls: '0',
    smtp_utf8: '0',
    eight_bit: '0',
  }
  db.exec(
    `insert into queue (${columns.join(', ')}) with recursive counter(n) as (select 1 union all select n + 1 from counter where n < ${mails}) select ${columns.map((column) => given[column] ?? 'null').join(', ')} from counter`,
  )
}

const columnsOf = (db: DatabaseSync, table: string): string[] =>
  db
    .prepare(`select name from pragma_table_info('${table}') where name <> 'id'`)
    .all()
    .map((row) => String(row['name']))
