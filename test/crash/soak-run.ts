/** Mixed load for a long time on one server that nobody harms: is its memory flat, does it stay quick, is nothing lost? */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import type { Verdict } from './ledger.ts'
import { seededRandom } from './points.ts'
import { type SoakSample, percentile, settledSamples, slopePerHour } from './soak-figures.ts'
import { World } from './world.ts'

const PRELOAD = fileURLToPath(new URL('soak-preload.ts', import.meta.url))
/** So many samples in a run, and one a minute at least. */
const SAMPLES = 30
const SAMPLE_EVERY_MAX_MS = 60_000

export interface SoakRun extends Verdict {
  readonly accepted: number
  readonly refusals: readonly string[]
  readonly latenciesMs: readonly number[]
  readonly samples: readonly SoakSample[]
}

export async function soak({ ms, say }: { ms: number; say: (line: string) => void }): Promise<SoakRun> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-soak-'))
  const file = join(dir, 'samples.jsonl')
  const everyMs = Math.min(SAMPLE_EVERY_MAX_MS, ms / SAMPLES)
  try {
    const env = { NODE_OPTIONS: `--import=${PRELOAD}`, SOAK_FILE: file, SOAK_EVERY_MS: String(Math.round(everyMs)) }
    await using world = await World.make({ random: seededRandom(1), witness: false, clients: { out: 3, in: 3 }, env })
    await world.start()
    world.beginLoad()
    const beganMs = performance.now()
    while (performance.now() - beganMs < ms) {
      await wait(Math.min(SAMPLE_EVERY_MAX_MS, ms / 4))
      world.noteSettled() // the log is not kept whole
      const last = (await samplesIn(file)).at(-1)
      const minutes = (performance.now() - beganMs) / 60_000
      if (last !== undefined) say(`${minutes.toFixed(1)} minutes, ${world.ledger.accepted} accepted, ${describe(last)}`)
    }
    await world.finish()
    const samples = await samplesIn(file)
    const { latenciesMs, refusals } = world.figures
    return { ...world.ledger.verdict(), accepted: world.ledger.accepted, refusals, latenciesMs, samples }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** What a run has shown, one line each. */
export function soakLines({ accepted, lost, duplicated, refusals, latenciesMs, samples }: SoakRun): string[] {
  const settled = settledSamples(samples)
  const files = settled.map(({ openFiles }) => openFiles)
  const one = (value: number): string => value.toFixed(1)
  return [
    `memory in use ${one(slopePerHour(settled, ({ usedMb }) => usedMb))} MB an hour, resident ${one(slopePerHour(settled, ({ rssMb }) => rssMb))} MB an hour`,
    `final dot to 250: p50 ${one(percentile(latenciesMs, 50))} ms, p99 ${one(percentile(latenciesMs, 99))} ms; ${refusals.length} refused`,
    `event loop late by p99 ${one(
      percentile(
        settled.map(({ loopP99Ms }) => loopP99Ms),
        50,
      ),
    )} ms; open files ${Math.min(...files)} to ${Math.max(...files)}`,
    `${accepted} accepted, ${lost.length} lost, ${duplicated.length} duplicated`,
  ]
}

const describe = ({ usedMb, rssMb, openFiles }: SoakSample): string =>
  `${usedMb.toFixed(1)} MB in use, ${rssMb.toFixed(0)} MB resident, ${openFiles} open files`

async function samplesIn(file: string): Promise<SoakSample[]> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as SoakSample)
}
