/**
 * A server under load whose disk is full, broken, slow or read-only for a while, whose database somebody else has locked, and
 * whose clock jumps: clients hear "try again" or wait, it recovers by itself, nothing that was answered 250 is lost, nothing
 * lies in clear on the disk, and no session ends in silence.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { Faults } from '../crash/disk-faults.ts'
import { SEED, seededRandom } from '../crash/points.ts'
import { until } from '../crash/victim.ts'
import { World } from '../crash/world.ts'
import { needs } from '../support/apt.ts'
import { readyAt } from '../support/readiness.ts'

const TROUBLE_MS = 1_500
/** Mails accepted after the trouble is over: then it has recovered. */
const RECOVERED = 12
const DAY_SECONDS = 24 * 60 * 60

interface Case {
  readonly what: string
  readonly faults: Faults
  /** Nobody can be told 250 meanwhile, and the log must say why. */
  readonly stops: boolean
}

const CASES: readonly Case[] = [
  { what: 'the disk is full', faults: { roomBytes: 0 }, stops: true },
  { what: 'the disk fills up in the middle of a write', faults: { roomBytes: 150_000 }, stops: false },
  { what: 'writes fail (EIO)', faults: { write: 'EIO' }, stops: true },
  { what: 'the file system has become read-only', faults: { write: 'EROFS' }, stops: true },
  { what: 'a sync fails once', faults: { sync: 'EIO', times: 1 }, stops: false },
  { what: 'every sync fails for a while', faults: { sync: 'EIO' }, stops: true },
  { what: 'each write and each sync takes 20 ms', faults: { delayUs: 20_000 }, stops: false },
  { what: 'the clock jumps a day forward', faults: { clockShiftSeconds: DAY_SECONDS }, stops: false },
  { what: 'the clock jumps a day back', faults: { clockShiftSeconds: -DAY_SECONDS }, stops: false },
]

const needsCompiler = needs('cc', 'gcc')
let world: World

before(async () => {
  if (needsCompiler.skip !== false) return
  world = await World.make({ random: seededRandom(SEED), witness: true, clients: { out: 3, in: 3 } })
  await world.start()
  world.beginLoad()
  await until('mail flows', async () => world.ledger.accepted > RECOVERED)
})

after(async () => {
  await world[Symbol.asyncDispose]()
})

for (const { what, faults, stops } of CASES)
  test(`${what}: the server goes on by itself`, needsCompiler, async (t) => {
    world.noteSettled()
    await world.faults?.set(faults)
    await wait(TROUBLE_MS)
    const accepted = world.ledger.accepted
    const [ready] = await Promise.all([readyAt(world.provider.ports.http), wait(TROUBLE_MS)])
    const meanwhile = world.ledger.accepted - accepted
    const failed = await world.faults?.failed()
    await world.faults?.set({})
    const said = world.provider.log.filter(({ event }) => event === 'trouble').map(({ during }) => String(during))
    t.diagnostic(
      `failed ${failed} times, ${meanwhile} accepted meanwhile; trouble with ${[...new Set(said)].join(', ')}`,
    )
    if (stops) {
      assert.equal(meanwhile, 0)
      assert(said.length > 0, 'the log says nothing')
      assert.equal(ready.status, 503)
      assert('database' in ready.failing, JSON.stringify(ready.failing))
    } else assert(meanwhile >= 0)
    await recovered()
    await until(
      'readiness has recovered',
      async () => !('database' in (await readyAt(world.provider.ports.http)).failing),
    )
  })

test('another process has locked the database: the server waits, and goes on by itself', needsCompiler, async () => {
  using other = new DatabaseSync(join(world.home, 'sealpost.db'), { timeout: 10_000 })
  other.exec('begin immediate')
  await wait(TROUBLE_MS)
  other.exec('rollback')
  await recovered()
})

test(
  'a sync fails, and then the power does: what was answered 250 was not in what is lost',
  needsCompiler,
  async () => {
    for (let round = 0; round < 3; round++) {
      await world.faults?.set({ sync: 'EIO', times: 1 })
      await until('a sync has failed', async () => ((await world.faults?.failed()) ?? 0) > 0)
      await wait(100 * round)
      await world.kill('after a sync had failed', () => false)
      await world.faults?.set({})
      await world.start()
      await recovered()
    }
  },
)

test('after all of it nothing is lost, and what came twice has its reason', needsCompiler, async () => {
  await world.finish()
  const { lost, duplicated, wrong } = world.ledger.verdict()
  for (const one of duplicated) process.stdout.write(`duplicated: ${one}\n`)
  process.stdout.write(
    `${CASES.length + 4} troubles, ${world.ledger.accepted} accepted, ${lost.length} lost, ${duplicated.length} duplicated\n`,
  )
  assert.deepEqual({ lost, wrong }, { lost: [], wrong: [] })
  assert.deepEqual(
    world.figures.refusals.filter((reply) => !reply.startsWith('4')),
    [],
  )
})

async function recovered(): Promise<void> {
  const { accepted } = world.ledger
  await until('it has recovered', async () => {
    if (!world.alive) throw new Error(`the server has ended: ${JSON.stringify(world.provider.log.at(-1))}`)
    return world.ledger.accepted >= accepted + RECOVERED
  })
}
