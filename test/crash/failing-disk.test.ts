/**
 * Each write to the database and to files fails once, as on a full disk, while a mail goes out, one comes in and a terminal
 * fetches: the server goes on, nothing that was answered 250 is missing, and nothing comes twice.
 */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { queueLength } from './data-folder.ts'
import { Ledger } from './ledger.ts'
import { SEED, fairSample, pointsOf, seededRandom, type Point } from './points.ts'
import { Victim, makePeer, until } from './victim.ts'

const ASKED = process.env['SEALPOST_FAILURES']
const FAILURES = ASKED ?? '50'
/** On a busy machine the sample ends early, after this long. */
const BUDGET_MS = ASKED === undefined ? 20_000 : Infinity
const SAMPLE_MIN = 10
/** Of the steps: those that do not come a second time, or not as often. */
const MISSED_MAX = 0.4

test('a full disk at any step: nothing that was answered 250 is missing, and nothing comes twice', async (t) => {
  const random = seededRandom(SEED)
  const ledger = new Ledger()
  await using things = new AsyncDisposableStack()
  const peer = await makePeer()
  things.use(peer.provider)
  const victim = things.use(await Victim.make('abc.com', peer, ledger))
  await peer.provider.start()
  await victim.start()
  const points = [...(await failingPoints(victim, 'small')), ...(await failingPoints(victim, 'large'))]
  const always = points.filter(({ name }) => ALWAYS.test(name))
  const others = fairSample(points, FAILURES === 'all' ? points.length : Number(FAILURES), random)
  const sample = [...always, ...others.filter((point) => !always.includes(point))]
  t.diagnostic(`${points.length} steps, ${sample.length} chosen with SEALPOST_SEED=${SEED}`)

  const beganMs = Date.now()
  let failures = 0
  let missed = 0
  for (const { plan, name, scenario } of sample) {
    if (failures >= SAMPLE_MIN && Date.now() - beganMs > BUDGET_MS) break
    assert(plan.kind === 'kill')
    const [out, incoming] = await victim.newMails(scenario === 'large' ? 'large' : 'small', 1)
    assert(out !== undefined && incoming !== undefined)
    const saidBefore = victim.provider.log.length
    await victim.arm({ kind: 'fail', label: plan.label, nth: plan.nth })
    for (const mail of [out, incoming]) mail.troubles.push(name)
    await victim.throughTrouble(out, incoming)
    failures += 1
    if (!(await victim.hasFailed())) missed += 1
    else if (!QUIET.test(plan.label)) await heardOf(victim, saidBefore, name)
  }

  await victim.arm({ kind: 'fail', label: 'none', nth: 1 })
  if ((await queueLength(victim.provider)) > 0) await victim.provider.cli(['queue', 'retry', '--all'])
  await victim.idle()
  await victim.collectAll()
  await until('the peer has delivered everything', async () => (await queueLength(peer.provider)) === 0)
  await ledger.collect(peer.mailbox)
  assert.deepEqual(await victim.plaintextFiles(), [])
  const { lost, duplicated, wrong } = ledger.verdict()
  process.stdout.write(
    `${failures - missed} failures, ${ledger.accepted} accepted, ${lost.length} lost, ${duplicated.length} duplicated\n`,
  )
  assert.deepEqual({ lost, duplicated, wrong }, { lost: [], duplicated: [], wrong: [] })
  assert(missed <= failures * MISSED_MAX, `${missed} of ${failures} failures did not happen`)
})

/** The log says it, as soon as it is written. */
function heardOf({ provider }: Victim, saidBefore: number, name: string): Promise<void> {
  return eventually(() => {
    const said = JSON.stringify(provider.log.slice(saidBefore))
    assert(said.includes('no space left'), `nothing was heard of ${name}: ${said}`)
  })
}

/** A local delivery that failed for one recipient was repeated for the others. */
const ALWAYS = /sql insert into mailbox \d+ .small/

/** Failures that nobody needs to hear of: what is left is swept. */
const QUIET = /file (?:rm|close)/

/** Where a write begins: in the run that is recorded, nothing fails. */
async function failingPoints(victim: Victim, size: 'small' | 'large'): Promise<Point[]> {
  const [out, incoming] = await victim.newMails(size, 1)
  assert(out !== undefined && incoming !== undefined)
  await victim.arm({ kind: 'record', file: victim.recordFile })
  await victim.throughTrouble(out, incoming)
  const recorded = await victim.recorded()
  await rm(victim.recordFile)
  const writes = recorded.split('\n').filter((line) => /^before (?:sql|file)/.test(line) && !/ rollback/.test(line))
  assert(writes.length > 30, `only so many writes:\n${recorded}`)
  return pointsOf(size, writes.join('\n'), () => 0).filter(
    ({ plan }) => plan.kind === 'kill' && plan.duringUs === undefined,
  )
}
