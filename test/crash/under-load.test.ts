/** `npm run crash` with few kills: SIGKILL and power cuts under load, at random and at one step after the other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needs } from '../support/apt.ts'
import { SEED } from './points.ts'
import { crashUnderLoad, lastLine } from './under-load.ts'

const KILLS = Number(process.env['SEALPOST_CRASH_KILLS'] ?? '20')
/** On a quiet machine 20 kills take less than half of it. */
const BUDGET_MS = 120_000

test('killed under load, and its power cut: nothing that was answered 250 is lost', needs('cc', 'gcc'), async (t) => {
  const run = await crashUnderLoad({ kills: KILLS, budgetMs: BUDGET_MS, seed: SEED, say: (line) => t.diagnostic(line) })
  for (const one of run.duplicated) process.stdout.write(`duplicated: ${one}\n`)
  process.stdout.write(`${lastLine(run)}\n`)
  assert.deepEqual({ lost: run.lost, wrong: run.wrong }, { lost: [], wrong: [] })
  assert(run.accepted > run.kills, 'mail has flowed')
  assert(run.inStep > run.kills / 8, `only ${run.inStep} of ${run.kills} kills met the step that was meant`)
})
