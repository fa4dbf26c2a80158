/** `bin/sealpost`: what it gives Node on machines of several sizes, and what it leaves to whoever starts it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { SEALPOST } from '../support/provider.ts'

interface Started {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** A command that waits for its input, as the kernel sees it. `nproc` takes OMP_NUM_THREADS for the number of cores. */
async function startedWith(env: NodeJS.ProcessEnv): Promise<Started> {
  const child = spawn(SEALPOST, ['open'], { env: { ...process.env, ...env }, stdio: ['pipe', 'ignore', 'ignore'] })
  const listed = async (file: string): Promise<string[]> =>
    (await readFile(`/proc/${child.pid}/${file}`, 'utf8')).split('\0')
  try {
    let args: string[] = []
    await eventually(async () => {
      args = await listed('cmdline')
      assert.match(args[0] ?? '', /node$/)
    })
    const pairs = (await listed('environ')).map((line) => line.split(/=(.*)/s, 2) as [string, string])
    return { args, env: Object.fromEntries(pairs) }
  } finally {
    child.kill('SIGKILL')
    await once(child, 'close')
  }
}

const MACHINES: readonly [cores: number, helpers: number, heaps: number][] = [
  [1, 1, 2],
  [2, 1, 4],
  [3, 2, 6],
  [4, 3, 8],
  [64, 4, 16],
]
const skip = process.platform === 'linux' ? false : 'no /proc'
for (const [cores, helpers, heaps] of MACHINES)
  test(`${cores} cores: ${helpers} helpers of V8, ${heaps} heaps of malloc`, { skip }, async () => {
    const { args, env } = await startedWith({ OMP_NUM_THREADS: String(cores), MALLOC_ARENA_MAX: undefined })
    for (const arg of [`--v8-pool-size=${helpers}`, '--heap-growing-percent=300', '--max-semi-space-size=8'])
      assert(args.includes(arg), args.join(' '))
    assert.equal(env['MALLOC_ARENA_MAX'], String(heaps))
  })

test('what the caller has chosen stays', { skip }, async () => {
  const chosen = { MALLOC_ARENA_MAX: '3', MALLOC_TRIM_THRESHOLD_: '65536', NODE_COMPILE_CACHE: '/nonexistent' }
  const { env } = await startedWith(chosen)
  for (const [name, value] of Object.entries(chosen)) assert.equal(env[name], value)
})
