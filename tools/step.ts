/** Runs one step of check or test: a command, its time, and its output when that is wanted. */
import { spawn } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import path from 'node:path'

export interface Step {
  readonly name: string
  /** A program of node_modules/.bin, or a script of ours; both run on the node that runs this. */
  readonly script: string
  readonly args: readonly string[]
  /** The step, and every process it started, is ended after this. */
  readonly limitMs: number
  /** Output is shown as it comes, not only on failure. */
  readonly live?: boolean
}

export interface StepResult {
  readonly step: Step
  readonly ok: boolean
  readonly seconds: number
  readonly output: string
  /** Closing counts of node's test runner, when the step is one. */
  readonly counts: TestCounts | undefined
}

export interface TestCounts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export const ROOT = path.resolve(import.meta.dirname, '..')
const NODE_MAJOR_MIN = 26
/** About the cores of the machines that this is run on. */
const SIDE_BY_SIDE = 2
const SIGNALS = ['SIGINT', 'SIGTERM'] as const
const CLOSING_COUNTS = /^[ℹ#] pass (\d+)\n[ℹ#] fail (\d+)\n[ℹ#] cancelled (\d+)\n[ℹ#] skipped (\d+)\n[ℹ#] todo (\d+)$/gm
/** Kept of a step's output for its closing counts and its failure. */
const OUTPUT_MAX_CHARACTERS = 4 * 2 ** 20

/** Runs steps, `atOnce` at a time, beginning with the first. After a failure no other one begins, unless `goOn`. */
export async function runSteps(
  steps: readonly Step[],
  { goOn, atOnce = SIDE_BY_SIDE }: { goOn: boolean; atOnce?: number },
): Promise<readonly StepResult[]> {
  const waiting = [...steps]
  const results: StepResult[] = []
  const work = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const result = await runStep(step)
      results.push(result)
      if (!result.ok && !goOn) waiting.length = 0
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return results
}

/** One line a step: name, verdict, seconds; its output when it failed. */
export async function runStep(step: Step): Promise<StepResult> {
  const startedMs = performance.now()
  if (step.live === true) process.stdout.write(`── ${step.name}\n`)
  const { code, output } = await runNode(step)
  const seconds = (performance.now() - startedMs) / 1000
  const verdict = `${code === 0 ? 'ok' : 'FAILED'}  ${seconds.toFixed(1)} s\n`
  if (step.live === true) process.stdout.write(`── ${step.name}: ${verdict}\n`)
  else process.stdout.write(`${step.name.padEnd(12)} ${verdict}${code === 0 ? '' : `\n${output}\n`}`)
  return { step, ok: code === 0, seconds, output, counts: countsOf(output) }
}

/** Says what is wrong when the node that runs us is not the one that `npm ci` brings. */
export function requireNode(): void {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) return
  process.stderr.write(
    `node ${process.versions.node} is too old: use "npm run …", which runs the node of node_modules\n`,
  )
  process.exit(2)
}

/** What node's test runner said at its end, before it tells the failures again; `undefined` when it did not run. */
export function countsOf(output: string): TestCounts | undefined {
  const closing = [...output.matchAll(CLOSING_COUNTS)].at(-1)
  if (closing === undefined) return undefined
  const [pass = 0, fail = 0, cancelled = 0, skipped = 0, todo = 0] = closing.slice(1).map(Number)
  return { passed: pass, failed: fail + cancelled, skipped: skipped + todo }
}

function runNode(step: Step): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, [step.script, ...step.args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: childEnv(),
    detached: true, // a process group of its own, so that all of it can be ended
  })
  let output = ''
  const take = (chunk: string): void => {
    output = (output + chunk).slice(-OUTPUT_MAX_CHARACTERS)
    if (step.live === true) process.stdout.write(chunk)
  }
  child.stdout.setEncoding('utf8').on('data', take)
  child.stderr.setEncoding('utf8').on('data', take)
  const end = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
  }
  const timer = setTimeout(() => {
    take(`\n${step.name} was ended after ${step.limitMs / 1000} s\n`)
    end()
  }, step.limitMs)
  const onSignal = (): void => {
    end()
    setImmediate(() => process.exit(1)) // when the steps beside it have heard of it too
  }
  for (const signal of SIGNALS) process.once(signal, onSignal)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      for (const signal of SIGNALS) process.off(signal, onSignal)
      resolve({ code: code ?? 1, output })
    })
  })
}

/**
 * Without what node's own test runner hands to its children: a test runner below it would stay silent. With a place for
 * compiled code: each test file is a process of its own, and a third of its work is to compile the same modules.
 */
function childEnv(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env
  return { NODE_COMPILE_CACHE: path.join(ROOT, 'node_modules/.cache/node'), ...env }
}
