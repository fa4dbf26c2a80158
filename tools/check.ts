/** `npm run check`: what must be right before every commit. Begins nothing more after the first failure. */
import { requireNode, runSteps } from './step.ts'
import { checkSteps } from './steps.ts'

requireNode()
const startedMs = performance.now()
const results = await runSteps(checkSteps(), { goOn: false })
if (results.some(({ ok }) => !ok)) process.exit(1)
const count = (which: 'passed' | 'skipped'): number =>
  results.reduce((sum, { counts }) => sum + (counts?.[which] ?? 0), 0)
process.stdout.write(`${count('passed')} unit tests, ${count('skipped')} skipped\n`)
process.stdout.write(`all right, ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`)
