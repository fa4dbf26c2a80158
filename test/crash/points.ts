/** The steps at which the server can be killed: written down in a run that is not killed, then chosen from. */
import type { CrashPlan } from './kill-preload.ts'

/** What is under way when the server is killed; see `Victim`. */
export type Scenario = 'small' | 'large' | 'start' | 'load'

export interface Point {
  readonly scenario: Scenario
  readonly plan: CrashPlan
  /** For people: which step. */
  readonly name: string
}

/** Steps of one scenario, from the file that a plan of kind `record` has filled. */
export function pointsOf(scenario: Scenario, recorded: string, random: () => number): Point[] {
  const steps = recorded
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [label = '', nth] = line.split('\t')
      return { label, nth: Number(nth) }
    })
  const points = steps.map(({ label, nth }): Point => {
    return { scenario, plan: { kind: 'kill', label, nth }, name: `${label} ${nth} (${scenario})` }
  })
  const commits = steps.filter(({ label }) => label === 'before sql commit')
  const during = commits.map(({ label, nth }): Point => {
    const duringUs = Math.floor(random() * COMMIT_TAKES_US)
    return {
      scenario,
      plan: { kind: 'kill', label, nth, duringUs },
      name: `during sql commit ${nth}, after ${duringUs} µs (${scenario})`,
    }
  })
  return [...points, ...during]
}

/** Under load no two runs are alike: there a step is the so-manieth, whatever it is. */
export function pointsUnderLoad(recorded: string, count: number, random: () => number): Point[] {
  const total = recorded.split('\n').length
  return Array.from({ length: count }, () => {
    const at = 1 + Math.floor(random() * total)
    return { scenario: 'load', plan: { kind: 'kill-at', count: at }, name: `step ${at} (load)` }
  })
}

/** At most `max` points, in an order that begins with one of each kind, and within a kind with one of each label. */
export function fairSample(points: readonly Point[], max: number, random: () => number): Point[] {
  const groups = Map.groupBy(shuffled(points, random), kindOf)
  const queues = [...groups.values()].map((group) => {
    const seen = new Map<string, number>()
    const ranked = group.map((point) => {
      const label = labelOf(point)
      const rank = seen.get(label) ?? 0
      seen.set(label, rank + 1)
      return { point, rank }
    })
    return ranked.toSorted((a, b) => a.rank - b.rank).map(({ point }) => point)
  })
  const sample: Point[] = []
  while (sample.length < max && queues.some((queue) => queue.length > 0))
    for (const queue of queues) sample.push(...queue.splice(0, 1))
  return sample.slice(0, max)
}

/** Of the samples: `SEALPOST_SEED`, else another one each time; in CI always the same, so that a red run can be run again. */
export const SEED = Number(
  process.env['SEALPOST_SEED'] ?? (process.env['CI'] === undefined ? Date.now() % 1_000_000 : 64_216),
)

/** Pseudo-random numbers in [0, 1) from a seed, so that a sample can be had again (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A commit of SQLite takes about as long. */
const COMMIT_TAKES_US = 1_500

function kindOf({ scenario, plan, name }: Point): string {
  if (scenario === 'start' || scenario === 'load') return scenario
  if (plan.kind === 'kill' && plan.duringUs !== undefined) return 'during'
  return /event|sql|file|socket|worker/.exec(name)?.[0] ?? 'other'
}

const labelOf = ({ plan, name }: Point): string => (plan.kind === 'kill' ? plan.label : name)

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  return all
    .map((one) => ({ one, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ one }) => one)
}
