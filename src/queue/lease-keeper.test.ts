import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LEASE_MS, LeaseKeeper } from './lease-keeper.ts'

/** A keeper whose renewals fail while `reachable` is false, ticking every 20 s. */
function keeperOf({ isShared, holds = true }: { isShared: boolean; holds?: boolean }) {
  const world = { nowMs: 0, reachable: true, letGoAtMs: [] as number[] }
  const commit = (): Promise<never> =>
    world.reachable ? Promise.resolve(undefined as never) : Promise.reject(new Error('away'))
  const keeper = new LeaseKeeper({
    store: { commit, isShared, node: 'here' },
    clock: { nowMs: () => world.nowMs },
    idsToKeep: () => (holds ? [1] : []),
    idsHere: () => [],
    lost: () => undefined,
    letGo: () => world.letGoAtMs.push(world.nowMs),
    monotonicMs: () => world.nowMs,
  })
  const pass = async (seconds: number): Promise<void> => {
    for (let passed = 0; passed < seconds; passed += 20) {
      world.nowMs += 20_000
      await keeper.tick()
    }
  }
  return { world, pass, keeper }
}

test('what cannot be renewed is let go before its lease runs out, once', async () => {
  const { world, pass } = keeperOf({ isShared: true })
  await pass(200)
  world.reachable = false
  await pass(LEASE_MS / 1000)
  assert.equal(world.letGoAtMs.length, 1)
  assert((world.letGoAtMs[0] ?? 0) - 200_000 <= LEASE_MS - 15_000)
})

test('a node that stood still does not end what it was saying', async () => {
  const content = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('hello')
  }
  const saidAfter = async (isShared: boolean, stoodStillMs: number): Promise<number> => {
    const { world, pass, keeper } = keeperOf({ isShared })
    await pass(200)
    const saying = keeper.whileLeased(content)()
    world.nowMs += stoodStillMs
    return (await Array.fromAsync(saying)).length
  }
  assert.equal(await saidAfter(true, 60_000), 1)
  await assert.rejects(saidAfter(true, LEASE_MS - 15_000), /stood still/)
  assert.equal(await saidAfter(false, 10 * LEASE_MS), 1)
})

test('a database that is away for a minute ends no delivery', async () => {
  const { world, pass } = keeperOf({ isShared: true })
  world.reachable = false
  await pass(60)
  world.reachable = true
  await pass(200)
  assert.deepEqual(world.letGoAtMs, [])
})

test('the only server of a queue lets nothing go, for nobody else takes it', async () => {
  const { world, pass } = keeperOf({ isShared: false })
  world.reachable = false
  await pass(600)
  assert.deepEqual(world.letGoAtMs, [])
})
