/**
 * kill -9 between any two steps of an outbound mail, an inbound mail, and a terminal's session: nothing that was answered
 * 250 is missing, nothing lies in clear on the disk, and a copy too many has its reason (RFC 1047). Without more, a fair
 * sample of the steps; `SEALPOST_KILLS=all` takes every one, `SEALPOST_KILLS=n` n of them, `SEALPOST_SEED=n` the same again.
 */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { age, bytesInventory, databaseFaults, queueLength, scanFolder } from './data-folder.ts'
import { Ledger, type TestMail } from './ledger.ts'
import { MARKER } from './mails.ts'
import { SEED, type Point, fairSample, pointsOf, pointsUnderLoad, seededRandom } from './points.ts'
import { Victim, makePeer, until } from './victim.ts'

const ASKED = process.env['SEALPOST_KILLS']
const KILLS = ASKED ?? '20'
/** On a busy machine the sample ends early, after this long; never before SAMPLE_MIN kills. */
const BUDGET_MS = ASKED === undefined ? 30_000 : Infinity
const SAMPLE_MIN = 10
/** Victims at the same time. */
const LANES = 2
const LOAD_MAILS = 6
const LOAD_POINTS = 40
/** Of the sample: steps that this run did not come to, since no two runs are quite alike. */
const MISSED_MAX = 0.25

test(
  'kill -9 between any two steps: nothing that was answered 250 is missing',
  { timeout: 3 * 3_600_000 },
  async (t) => {
    const random = seededRandom(SEED)
    const ledger = new Ledger()
    await using things = new AsyncDisposableStack()
    const peer = await makePeer()
    things.use(peer.provider)
    const victims = await Promise.all(
      Array.from({ length: LANES }, (_, index) => Victim.make(`victim${index + 1}.example`, peer, ledger)),
    )
    for (const victim of victims) things.use(victim)
    await peer.provider.start()
    await Promise.all(victims.map((victim) => victim.start()))
    const [first] = victims
    assert(first !== undefined)
    const points = await enumerate(first, random)
    const sample = fairSample(points, KILLS === 'all' ? points.length : Number(KILLS), random)
    t.diagnostic(`${points.length} steps, ${sample.length} chosen with SEALPOST_SEED=${SEED}`)

    const beganMs = Date.now()
    const result = { kills: DRY_RUN_KILLS, missed: 0 }
    const next = (): Point | undefined =>
      result.kills >= SAMPLE_MIN && Date.now() - beganMs > BUDGET_MS ? undefined : sample.shift()
    // one that fails must not leave the other's servers behind
    const lanes = await Promise.allSettled(victims.map((victim) => lane(victim, next, result)))
    for (const one of lanes) if (one.status === 'rejected') throw one.reason

    await Promise.all(victims.map((victim) => checkAtRest(victim)))
    await until('the peer has delivered everything', async () => (await queueLength(peer.provider)) === 0)
    await ledger.collect(peer.mailbox)
    const { lost, duplicated, wrong } = ledger.verdict()
    for (const one of duplicated) process.stdout.write(`duplicated: ${one}\n`)
    process.stdout.write(
      `${result.kills} kills, ${ledger.accepted} accepted, ${lost.length} lost, ${duplicated.length} duplicated\n`,
    )
    assert.deepEqual({ lost, wrong }, { lost: [], wrong: [] })
    assert(result.missed <= result.kills * MISSED_MAX, `${result.missed} of ${result.kills} steps were not come to`)
  },
)

test('plaintext in the data folder would be found', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealpost-scan-'))
  try {
    const file = join(folder, 'bytes', 'aa', 'leak')
    await mkdir(dirname(file), { recursive: true })
    for (const before of ['', 'a', 'ab']) {
      for (const text of [before + MARKER, Buffer.from(`${before}${MARKER} x`).toString('base64')]) {
        await writeFile(file, `some ${text} text`)
        assert.deepEqual(await scanFolder(folder), [file])
      }
    }
    await writeFile(file, 'nothing')
    assert.deepEqual(await scanFolder(folder), [])
  } finally {
    await rm(folder, { recursive: true })
  }
})

const DRY_RUN_KILLS = 5
/** Fewer than that are no scenario: the preload has not seen the server. */
const STEPS_MIN = 20

/** Runs each scenario to its end and notes its steps. */
async function enumerate(victim: Victim, random: () => number): Promise<Point[]> {
  const points: Point[] = []
  const record = { kind: 'record', file: victim.recordFile } as const
  for (const size of ['small', 'large'] as const) {
    const [out, incoming] = await victim.newMails(size, 1)
    assert(out !== undefined && incoming !== undefined)
    await victim.arm(record)
    await victim.oneByOne(out, incoming)
    points.push(...pointsOf(size, await takeRecord(victim), random))
    await restart(victim, [out, incoming], 'after everything')
  }
  const mails = await victim.newMails('small', LOAD_MAILS)
  await victim.arm(record)
  await victim.together(mails)
  points.push(...pointsUnderLoad(await takeRecord(victim), LOAD_POINTS, random))
  await restart(victim, mails, 'after everything')

  const [out, incoming] = await victim.newMails('large', 1)
  assert(out !== undefined && incoming !== undefined)
  await killWhenAccepted(victim, out)
  await victim.startWith(record)
  points.push(...pointsOf('start', await takeRecord(victim), random))
  await restart(victim, [out, incoming], 'after everything')
  return points
}

async function takeRecord(victim: Victim): Promise<string> {
  const recorded = await victim.recorded()
  await rm(victim.recordFile)
  assert(recorded.split('\n').length > STEPS_MIN, `only so many steps:\n${recorded}`)
  return recorded
}

/** Kills one victim at one point after the other. */
async function lane(
  victim: Victim,
  next: () => Point | undefined,
  result: { kills: number; missed: number },
): Promise<void> {
  let round = 0
  for (let point = next(); point !== undefined; point = next()) {
    const { scenario } = point
    const size = scenario === 'small' || (scenario === 'load' && round % 2 === 0) ? 'small' : 'large'
    const mails = await victim.newMails(size, scenario === 'load' ? LOAD_MAILS : 1)
    const [out, incoming] = mails
    assert(out !== undefined && incoming !== undefined)
    if (scenario === 'start') {
      await killWhenAccepted(victim, out)
      result.kills += 1
      await victim.startWith(point.plan)
    } else {
      await victim.arm(point.plan)
      await (scenario === 'load' ? victim.together(mails) : victim.oneByOne(out, incoming))
    }
    if (!(await restart(victim, mails, point.name))) result.missed += 1
    result.kills += 1
    if (++round % 10 === 0) await victim.collectAll()
  }
  await victim.collectAll()
}

/** Dead with a mail in its hands: answered 250 a moment ago, hardly delivered. */
async function killWhenAccepted(victim: Victim, out: TestMail): Promise<void> {
  await victim.offer(out)
  await victim.die()
  victim.noteSettled(out)
  out.kills.push('when it had said 250')
}

/** Kills what is not dead yet, looks at what it left, starts it again, and waits until everything is delivered. */
async function restart(victim: Victim, mails: readonly TestMail[], where: string): Promise<boolean> {
  const byPlan = await victim.die().catch((error: unknown) => {
    throw new Error(`to be killed ${where}`, { cause: error })
  })
  for (const mail of mails) victim.noteSettled(mail)
  for (const mail of mails) mail.kills.push(byPlan ? where : `after everything, not ${where}`)
  assert.deepEqual(await victim.plaintextFiles(), [], `in clear on the disk, killed ${where}`)
  await victim.start()
  await victim.finish(mails)
  return byPlan
}

/** What the kills have left behind is swept, nothing else is, and the database is sound. */
async function checkAtRest({ provider }: Victim): Promise<void> {
  assert.equal(await provider.stop(), 0)
  assert.deepEqual(databaseFaults(provider), [])
  const before = await bytesInventory(provider)
  assert.deepEqual(
    before.named.filter((file) => !before.files.includes(file)),
    [],
    'every row has its file',
  )
  await age(provider)
  await provider.start()
  await until('everything is swept', async () => {
    const after = await bytesInventory(provider)
    return after.unused === 0 && after.files.join(' ') === after.named.join(' ')
  })
  assert.deepEqual((await bytesInventory(provider)).named, before.named)
  process.stdout.write(`${before.files.length - before.named.length} files without a row were swept\n`)
}
