/** `npm run soak` for two minutes: mixed load, and nothing is lost, nothing comes twice, nothing is left open. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settledSamples } from './soak-figures.ts'
import { soak, soakLines } from './soak-run.ts'

const SOAK_MS = 120_000
/** A run as short as that says nothing of a slope, but shows a leak of each mail. */
const GROWTH_MAX_MB = 25
const OPEN_FILES_MAX = 200

test('mixed load: memory and open files stay within bounds, and nothing is lost', async (t) => {
  const run = await soak({ ms: SOAK_MS, say: (line) => t.diagnostic(line) })
  for (const line of soakLines(run)) process.stdout.write(`${line}\n`)
  const { lost, duplicated, wrong, refusals } = run
  assert.deepEqual({ lost, duplicated, wrong, refusals }, { lost: [], duplicated: [], wrong: [], refusals: [] })
  assert(run.accepted > 20, 'mail has flowed')
  const settled = settledSamples(run.samples)
  const used = settled.map(({ usedMb }) => usedMb)
  assert(settled.length > 5)
  assert(Math.max(...used) - Math.min(...used) < GROWTH_MAX_MB, `memory in use: ${used.join(', ')}`)
  assert(Math.max(...settled.map(({ openFiles }) => openFiles)) < OPEN_FILES_MAX)
})
