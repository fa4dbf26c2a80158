/** `npm run check`: what must be right before every commit. Stops at the first failure. */
import { requireNode, runStep } from './step.ts'
import { checkSteps } from './steps.ts'

requireNode()
let seconds = 0
for (const step of checkSteps()) {
  const result = await runStep(step)
  seconds += result.seconds
  if (!result.ok) process.exit(1)
  if (result.counts !== undefined)
    process.stdout.write(`${result.counts.passed} unit tests, ${result.counts.skipped} skipped\n`)
}
process.stdout.write(`all right, ${seconds.toFixed(1)} s\n`)
