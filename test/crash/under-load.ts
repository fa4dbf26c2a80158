/**
 * Kills a server under load again and again, at random and at one step after the other, and each time lets the power go with
 * it: of what was not synced, nothing, all or something is left.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { databaseFaults } from './data-folder.ts'
import type { CrashPlan } from './kill-preload.ts'
import type { Verdict } from './ledger.ts'
import { seededRandom } from './points.ts'
import { World } from './world.ts'

export interface CrashRun extends Verdict {
  readonly kills: number
  readonly accepted: number
}

export interface CrashUnderLoad extends CrashRun {
  /** Kills that met the server in the step that was meant, not a moment later. */
  readonly inStep: number
}

export interface CrashOptions {
  readonly kills: number
  /** A run on a busy machine ends early, after this long. */
  readonly budgetMs?: number
  readonly seed: number
  readonly say: (line: string) => void
}

/** A life under load, at most. */
const LIFE_MAX_MS = 1_500
/** Of the lives that end at any time, one in so many may end before the first mail. */
const ONE_IN_EARLY = 5
const BUSY_MAX_MS = 8_000
const LOOK_EVERY_MS = 25
/** How long it takes at most until a step is come to that has been seen before. */
const STEP_MAX_MS = 2_000
/** One kill in so many comes while the server starts. */
const ONE_IN_STARTS = 6
/** Of steps that come again and again, one of the first so many. */
const NTH_MAX = 8

export async function crashUnderLoad({ kills, budgetMs = Infinity, seed, say }: CrashOptions): Promise<CrashUnderLoad> {
  const random = seededRandom(seed)
  await using world = await World.make({ random, witness: true })
  const luckOf = (): (() => boolean) => {
    const share = [0, 0.5, 1][Math.floor(random() * 3)] ?? 0
    return () => random() < share
  }
  await world.start()
  world.beginLoad()
  const steps = await recordSteps(world)
  say(`${steps.size} kinds of steps, seed ${seed}`)
  const labels = [...steps.keys()]
  let inStep = 0
  let done = 0
  const beganMs = performance.now()
  while (done < kills && performance.now() - beganMs < budgetMs) {
    const where = await oneLife(world, { kill: done, labels, steps, random })
    if (where.startsWith('at ')) inStep += 1
    await world.kill(where, luckOf())
    if (++done % 10 === 0) say(`${done} kills, ${world.ledger.accepted} accepted`)
    if (done < kills && !(await world.start(startPlan(done, random)))) {
      await world.kill('while it started', luckOf())
      done += 1
    }
    if (!world.alive) await world.start()
  }
  await world.finish()
  await world.provider.stop()
  const unsound = databaseFaults(world.provider).map((fault) => `the database: ${JSON.stringify(fault)}`)
  const verdict = world.ledger.verdict()
  return { ...verdict, wrong: [...verdict.wrong, ...unsound], kills: done, accepted: world.ledger.accepted, inStep }
}

/** The last line of a run. */
export const lastLine = ({ kills, accepted, lost, duplicated }: CrashRun): string =>
  `${kills} kills, ${accepted} accepted, ${lost.length} lost, ${duplicated.length} duplicated`

/** How often each step comes while mail flows. */
async function recordSteps(world: World): Promise<ReadonlyMap<string, number>> {
  const file = join(world.provider.dir, 'recorded.tsv')
  await world.arm({ kind: 'record', file })
  await wait(LIFE_MAX_MS)
  await world.arm({ kind: 'kill', label: 'never', nth: 1 })
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  await rm(file)
  const counts = new Map<string, number>()
  for (const line of lines) {
    const label = line.split('\t')[0] ?? ''
    counts.set(label, (counts.get(label) ?? 0) + 1)
  }
  return counts
}

/** Every other life ends at a step, in turn; the others at any time. */
async function oneLife(
  world: World,
  {
    kill,
    labels,
    steps,
    random,
  }: { kill: number; labels: readonly string[]; steps: ReadonlyMap<string, number>; random: () => number },
): Promise<string> {
  const livesMs = random() * LIFE_MAX_MS
  if (kill % ONE_IN_EARLY !== 0) await someAccepted(world)
  if (kill % 2 === 1) {
    const died = await world.died(livesMs)
    return died ? 'by an earlier plan' : `after ${Math.round(livesMs)} ms`
  }
  // a prime walks through all labels in an order in which neighbours have nothing to do with each other
  const label = labels[(kill * 31) % labels.length] ?? ''
  const nth = 1 + Math.floor(random() * Math.min(NTH_MAX, steps.get(label) ?? 1))
  const plan: CrashPlan = { kind: 'kill', label, nth }
  await wait(livesMs / 3)
  await world.arm(plan)
  return (await world.died(STEP_MAX_MS)) ? `at ${label} ${nth}` : `in vain at ${label} ${nth}`
}

/** On a busy machine clients take a while to come back; a life in which nothing happened shows little. */
async function someAccepted(world: World): Promise<void> {
  const before = world.ledger.accepted
  for (let waits = 0; waits < BUSY_MAX_MS / LOOK_EVERY_MS && world.ledger.accepted === before && world.alive; waits++)
    await wait(LOOK_EVERY_MS)
}

/** Now and then it dies before it is ready. */
function startPlan(kill: number, random: () => number): CrashPlan | undefined {
  if (kill % ONE_IN_STARTS !== 0) return undefined
  return { kind: 'kill-at', count: 1 + Math.floor(random() * 200) }
}
