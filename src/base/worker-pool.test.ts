import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import type { PoolJob } from '../../test/support/pool-worker.ts'
import { WorkerPool, type WorkerPoolOptions } from './worker-pool.ts'
import { eventually } from '../../test/support/eventually.ts'

const SWELL_BYTES = 256 * 1024
const script = new URL('../../test/support/pool-worker.ts', import.meta.url)

function pool(options: Partial<WorkerPoolOptions> = {}): WorkerPool<PoolJob, number> {
  return new WorkerPool<PoolJob, number>({
    script,
    size: 2,
    timeoutMs: 10_000,
    streamTimeoutMs: 10_000,
    heapMaxMb: 64,
    queueMax: 2_000,
    streamsMax: 2,
    ...options,
  })
}

async function* chunksOf(count: number, lengthBytes: number, taken?: (index: number) => void) {
  for (let index = 0; index < count; index++) {
    taken?.(index)
    yield new Uint8Array(lengthBytes).fill(index)
  }
}

test('1,000 jobs: each gets its own answer', async () => {
  await using workers = pool()
  const numbers = Array.from({ length: 1_000 }, (_, number) => number)
  const outcomes = await Promise.all(numbers.map((number) => workers.run({ do: 'double', number })))
  assert.deepEqual(
    outcomes,
    numbers.map((number) => ({ kind: 'done', value: number * 2 })),
  )
})

const deaths: readonly [what: PoolJob, why: RegExp][] = [
  [{ do: 'exit' }, /^worker exited with code 3$/],
  [{ do: 'throw' }, /^RangeError: thrown in the worker \(pool-worker\.ts:\d+/],
  [{ do: 'eat-heap' }, /ERR_WORKER_OUT_OF_MEMORY|out of memory|memory limit/i],
]
for (const [job, why] of deaths)
  test(`${job.do}: that job crashed, and every other one is done`, async () => {
    const replaced: string[] = []
    await using workers = pool({ onReplaced: (reason) => replaced.push(reason) })
    const before = Array.from({ length: 20 }, (_, number) => workers.run({ do: 'double', number }))
    const bad = workers.run(job)
    const after = Array.from({ length: 20 }, (_, number) => workers.run({ do: 'double', number }))
    const outcome = await bad
    assert.equal(outcome.kind, 'crashed')
    assert.match(outcome.kind === 'crashed' ? outcome.why : '', why)
    for (const [number, other] of [...before, ...after].entries())
      assert.deepEqual(await other, { kind: 'done', value: (number % 20) * 2 })
    assert.equal(replaced.length, 1)
  })

test('an endless loop times out; what was posted behind it is done by another thread', async () => {
  await using workers = pool({ size: 1, timeoutMs: 300, postedMax: 3 })
  const outcomes = await Promise.all([
    workers.run({ do: 'loop' }),
    workers.run({ do: 'double', number: 4 }),
    workers.run({ do: 'double', number: 5 }),
  ])
  assert.deepEqual(outcomes, [{ kind: 'timeout' }, { kind: 'done', value: 8 }, { kind: 'done', value: 10 }])
})

test('the time of a job counts from its own start, not from when it was posted', async () => {
  await using workers = pool({ size: 1, timeoutMs: 400 })
  await workers.run({ do: 'double', number: 0 })
  const outcomes = await Promise.all([250, 250].map((ms) => workers.run({ do: 'sleep', ms })))
  assert.deepEqual(
    outcomes.map((outcome) => outcome.kind),
    ['done', 'done'],
  )
})

test('an answer that lies ready while our own loop stands still is no timeout', async () => {
  await using workers = pool({ size: 1, timeoutMs: 100 })
  await workers.run({ do: 'double', number: 0 })
  const job = workers.run({ do: 'double', number: 21 })
  const untilMs = Date.now() + 300
  while (Date.now() < untilMs);
  assert.deepEqual(await job, { kind: 'done', value: 42 })
})

test('a full queue answers overloaded at once, and takes jobs again later', async () => {
  await using workers = pool({ size: 1, queueMax: 2, postedMax: 1 })
  const busy = [1, 2, 3].map((ms) => workers.run({ do: 'sleep', ms }))
  assert.deepEqual(await workers.run({ do: 'double', number: 1 }), { kind: 'overloaded' })
  for (const job of busy) assert.equal((await job).kind, 'done')
  assert.deepEqual(await workers.run({ do: 'double', number: 1 }), { kind: 'done', value: 2 })
})

test('transferred buffers move, and such a job never waits behind another', async () => {
  await using workers = pool({ size: 1, timeoutMs: 300 })
  const bytes = new Uint8Array(1024).fill(1)
  const loop = workers.run({ do: 'loop' })
  const sum = workers.run({ do: 'sum', bytes }, { transfer: [bytes.buffer] })
  assert.equal((await loop).kind, 'timeout')
  assert.deepEqual(await sum, { kind: 'done', value: 1024 })
  assert.equal(bytes.length, 0)
})

test('what cannot be cloned is the caller’s bug: it is thrown, and the thread goes on', async () => {
  await using workers = pool({ size: 1 })
  const job = { do: 'double', number: (() => 1) as unknown as number } as const
  await assert.rejects(workers.run(job), /could not be cloned/)
  assert.deepEqual(await workers.run({ do: 'double', number: 2 }), { kind: 'done', value: 4 })
})

test('a script that cannot be loaded crashes each job, and is not started for ever', async () => {
  const replaced: string[] = []
  await using workers = pool({
    script: new URL('file:///does/not/exist.ts'),
    size: 1,
    onReplaced: (why) => replaced.push(why),
  })
  const outcomes = await Promise.all([1, 2].map((number) => workers.run({ do: 'double', number })))
  for (const outcome of outcomes) assert.match(outcome.kind === 'crashed' ? outcome.why : '', /Cannot find module/)
  await eventually(() => assert.equal(replaced.length, 2))
  await sleep(100)
  assert.equal(replaced.length, 2)
})

test('close answers what runs and waits', async () => {
  const workers = pool({ size: 1 })
  const jobs = [1, 2, 3, 4].map(() => workers.run({ do: 'sleep', ms: 60_000 }))
  await workers.close()
  for (const job of jobs) assert.deepEqual(await job, { kind: 'crashed', why: 'the pool was closed' })
  assert.equal((await workers.run({ do: 'double', number: 1 })).kind, 'crashed')
  assert.equal((await workers.runStream({ do: 'tee' }, chunksOf(1, 1), () => {})).kind, 'crashed')
})

test('a stream: all bytes, in order, on both channels', async () => {
  await using workers = pool()
  const seen: number[][] = [[], []]
  const outcome = await workers.runStream({ do: 'tee' }, chunksOf(200, 10_000), async (chunk, channel) => {
    seen[channel]?.push(chunk[0] as number, chunk.length)
  })
  assert.deepEqual(outcome, { kind: 'done', value: 2_000_000 })
  assert.deepEqual(seen[0], Array.from({ length: 200 }, (_, index) => [index, 10_000]).flat())
  assert.deepEqual(seen[1], Array.from({ length: 200 }, (_, index) => [index, 1]).flat())
})

test('a chunk of a stream is given away without a copy only when nothing else lies in its memory', async () => {
  await using workers = pool()
  const [whole, shared] = [new Uint8Array(10).fill(1), new Uint8Array(10).fill(2)]
  const seen: number[] = []
  const chunks = Readable.from([whole, shared.subarray(3, 5), new Uint8Array(0)])
  const outcome = await workers.runStream({ do: 'tee' }, chunks, (chunk, channel) => {
    if (channel === 0) seen.push(...chunk)
  })
  assert.deepEqual(outcome, { kind: 'done', value: 12 })
  assert.deepEqual(seen, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2])
  assert.equal(whole.length, 0)
  assert.deepEqual(shared, new Uint8Array(10).fill(2))
})

test('a slow taker of output holds the source back', async () => {
  await using workers = pool({ streamTimeoutMs: 400 })
  let pulled = 0
  let taken = 0
  let aheadMax = 0
  const source = chunksOf(40, 1024, () => pulled++)
  const outcome = await workers.runStream({ do: 'swell' }, source, async (chunk) => {
    if (chunk.length !== SWELL_BYTES) return
    aheadMax = Math.max(aheadMax, pulled - taken++)
    await sleep(15)
  })
  assert.equal(outcome.kind, 'done') // the 600 ms were ours: the thread is not ended for them
  assert.equal(taken, 40)
  assert.ok(aheadMax <= 16, `${aheadMax} chunks were in flight`)
})

const brokenStreams: readonly [what: PoolJob, outcome: unknown][] = [
  [{ do: 'throw-at-chunk' }, /this chunk was too much/],
  [{ do: 'exit-at-chunk' }, /code 7/],
  [{ do: 'loop-at-end' }, undefined],
]
for (const [job, why] of brokenStreams)
  test(`stream, ${job.do}: ends that stream only`, async () => {
    await using workers = pool({ streamTimeoutMs: 500 })
    const good = workers.runStream({ do: 'tee' }, chunksOf(100, 1000), () => sleep(1))
    const bad = await workers.runStream({ do: job.do } as PoolJob, chunksOf(100, 1000), () => {})
    if (why instanceof RegExp) assert.match(bad.kind === 'crashed' ? bad.why : bad.kind, why)
    else assert.equal(bad.kind, 'timeout')
    assert.deepEqual(await good, { kind: 'done', value: 100_000 })
    assert.deepEqual(await workers.runStream({ do: 'tee' }, chunksOf(1, 5), () => {}), { kind: 'done', value: 5 })
  })

test('output that was still waiting to be taken when a stream ended does not hold up the next ones', async () => {
  await using workers = pool({ streamsMax: 1 })
  for (let stream = 1; stream <= 4; stream++) {
    const outcome = await workers.runStream({ do: 'swell-at-end' }, chunksOf(4, 10), async () => sleep(20))
    assert.deepEqual(outcome, { kind: 'done', value: 40 }, `stream ${stream}`)
  }
})

test('a source that fails rejects, and its thread serves the next stream', async () => {
  const replaced: string[] = []
  await using workers = pool({ streamsMax: 1, onReplaced: (why) => replaced.push(why) })
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(10)
    throw new Error('connection lost')
  }
  await assert.rejects(
    workers.runStream({ do: 'tee' }, broken(), () => {}),
    /connection lost/,
  )
  await assert.rejects(
    workers.runStream({ do: 'swell' }, chunksOf(50, 10), () => Promise.reject(new Error('disk full'))),
    /disk full/,
  )
  assert.deepEqual(await workers.runStream({ do: 'tee' }, chunksOf(2, 5), () => {}), { kind: 'done', value: 10 })
  assert.deepEqual(replaced, [])
})

test('more streams than threads: they wait for their turn, then too many are overloaded', async () => {
  await using workers = pool({ streamsMax: 2, queueMax: 3 })
  const start = () => workers.runStream({ do: 'tee' }, chunksOf(20, 100), () => sleep(1))
  const streams = Array.from({ length: 5 }, start)
  assert.deepEqual(await start(), { kind: 'overloaded' })
  for (const stream of streams) assert.deepEqual(await stream, { kind: 'done', value: 2_000 })
})

/** Who does jobs now. */
const threadsOf = async (workers: WorkerPool<PoolJob, number>): Promise<ReadonlySet<number>> => {
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => workers.run({ do: 'thread' })))
  return new Set(outcomes.map((outcome) => (outcome.kind === 'done' ? outcome.value : -1)))
}

test('a stream is lent an idle thread: jobs do not wait for it, and are done by it again afterwards', async () => {
  await using workers = pool()
  const own = await threadsOf(workers)
  assert.equal(own.size, 2)
  const gate = Promise.withResolvers<void>()
  async function* hanging(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1)
    await gate.promise
  }
  const stream = workers.runStream({ do: 'thread' }, hanging(), () => {})
  const meanwhile = await threadsOf(workers)
  gate.resolve()
  const outcome = await stream
  const lent = outcome.kind === 'done' ? outcome.value : -1
  assert.ok(own.has(lent) && !meanwhile.has(lent) && !meanwhile.has(-1), `${lent} of ${[...own, ...meanwhile].join()}`)
  const again = await workers.runStream({ do: 'thread' }, chunksOf(1, 1), () => {})
  assert.deepEqual(again, { kind: 'done', value: lent }, 'one thread more was made, and none a second time')
})

test('a stream takes the last thread from no job: with one thread it gets another', async () => {
  await using workers = pool({ size: 1 })
  const [own] = await threadsOf(workers)
  const outcome = await workers.runStream({ do: 'thread' }, chunksOf(1, 1), () => {})
  assert.ok(outcome.kind === 'done' && outcome.value !== own)
})
