/** kill -9 at each statement while a new database is made: opened again, it is made whole, and nothing of it twice. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createSecretKey } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { DATABASE_FILE, openStore } from '../../src/store/database.ts'
import type { CrashPlan } from './kill-preload.ts'
import { SEED, fairSample, pointsOf, seededRandom } from './points.ts'
import { PRELOAD } from './victim.ts'

const KILLS = Number(process.env['SEALPOST_KILLS'] ?? '12')
const CHILD = `
import { createSecretKey } from 'node:crypto'
const { openStore } = await import(process.argv[1])
const masterKey = { id: '0', key: createSecretKey(Buffer.alloc(32)) }
const store = await openStore({ dir: process.argv[2], masterKey, clock: { nowMs: () => 1 } })
await store.close()
`

test('kill -9 in the middle of a migration leaves a database that the next start completes', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-migration-'))
  t.after(() => rm(dir, { recursive: true }))
  const random = seededRandom(SEED)
  const file = join(dir, 'recorded.tsv')
  assert.equal(await openIn(join(dir, 'whole'), { kind: 'record', file }, dir), 'done')
  const whole = schemaOf(join(dir, 'whole'))
  const points = pointsOf('start', await readFile(file, 'utf8'), random)
  const sample = fairSample(points, Number.isNaN(KILLS) ? points.length : KILLS, random)
  t.diagnostic(`${points.length} steps, ${sample.length} chosen with SEALPOST_SEED=${SEED}`)
  let kills = 0
  for (const [index, { plan, name }] of sample.entries()) {
    const folder = join(dir, String(index))
    if ((await openIn(folder, plan, dir)) === 'killed') kills += 1
    const masterKey = { id: '0', key: createSecretKey(Buffer.alloc(32)) }
    await using store = await openStore({ dir: folder, masterKey, clock: { nowMs: () => 2 } })
    assert.equal((await store.db.selectFrom('data_keys').select('id').execute()).length, 1, name)
    assert.deepEqual(schemaOf(folder), whole, name)
  }
  assert(whole.length > 20)
  assert(kills >= sample.length * 0.7, `${kills} of ${sample.length} were killed`)
})

async function openIn(folder: string, plan: CrashPlan, dir: string): Promise<'done' | 'killed'> {
  const planFile = join(dir, 'plan.json')
  await writeFile(planFile, JSON.stringify(plan))
  const module = new URL('../../src/store/database.ts', import.meta.url).href
  const env = { ...process.env, CRASH_PLAN: planFile, CRASH_NOW: '1' }
  const args = ['--import', PRELOAD, '--input-type=module', '-e', CHILD, module, folder]
  try {
    await promisify(execFile)(process.execPath, args, { env })
    return 'done'
  } catch (error) {
    assert.equal((error as { signal?: string }).signal, 'SIGKILL', String(error))
    return 'killed'
  }
}

/** Every table and index, as it was declared, and the versions. */
function schemaOf(folder: string): unknown[] {
  using database = new DatabaseSync(join(folder, DATABASE_FILE))
  return [
    ...database.prepare('select type, name, sql from sqlite_master order by type, name').all(),
    ...database.prepare('select version from schema_version order by version').all(),
  ]
}
