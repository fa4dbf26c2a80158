import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Overload } from './overload.ts'

function overload(): {
  load: Overload
  facts: { resident: number; disk: number | undefined; busy: boolean }
  said: string[]
} {
  const facts = { resident: 0, disk: undefined as number | undefined, busy: false }
  const said: string[] = []
  const load = new Overload({
    limits: () => ({ heldMaxBytes: 800, residentMaxBytes: 5_000, freeDiskMinBytes: 100 }),
    facts: {
      residentBytes: () => facts.resident,
      freeDiskBytes: () => facts.disk,
      threadsBusy: () => facts.busy,
    },
    events: {
      overloaded: ({ why }) => said.push(`overloaded ${why}`),
      recovered: ({ heldBytes }) => said.push(`recovered at ${heldBytes}`),
    },
  })
  return { load, facts, said }
}

test('what has begun may hold more than what begins; it is said once, and once that it is over', () => {
  const { load, said } = overload()
  const [one, two] = [load.hold(1_000), load.hold(1_000)]
  assert(one.grow(600))
  assert.equal(load.shortage(), undefined)
  assert(two.grow(100))
  assert.equal(load.shortage(), 'memory')
  assert(one.grow(100))
  assert(!two.grow(1), 'no room at all')
  assert.equal(load.heldBytes, 800)
  two.free()
  two.free()
  assert.deepEqual(said, ['overloaded memory'])
  one.free()
  assert.equal(load.heldBytes, 0)
  assert.deepEqual(said, ['overloaded memory', 'recovered at 0'])
})

test('of one mail no more than its limit is held; what was reserved is not counted again', () => {
  const { load } = overload()
  const hold = load.hold(300)
  assert(hold.reserve(200))
  assert(hold.grow(150))
  assert.equal(load.heldBytes, 200)
  assert(hold.grow(1_000_000))
  assert.equal(load.heldBytes, 300)
  assert(load.hold(1_000).reserve(500))
  assert(!load.hold(1_000).reserve(1))
})

test('a process that has too much takes less, but never nothing: freed memory may still be counted as its own', () => {
  const { load, facts, said } = overload()
  facts.resident = 5_001
  assert.equal(load.shortage(), undefined, 'nothing is held')
  const hold = load.hold(1_000)
  assert(hold.grow(100))
  assert.equal(load.shortage(), 'memory')
  assert(!load.hold(1_000).grow(1))
  hold.free()
  assert.equal(load.shortage(), undefined)
  assert.deepEqual(said, ['overloaded memory', 'recovered at 0'])
})

test('disk and threads: no new mail, until there is room again', () => {
  const { load, facts, said } = overload()
  facts.disk = 99
  assert.equal(load.shortage(), 'disk')
  facts.disk = 100
  assert.equal(load.shortage(), undefined)
  facts.busy = true
  assert.equal(load.shortage(), 'threads')
  assert(load.hold(1).grow(1), 'what has begun goes on')
  facts.busy = false
  assert.equal(load.shortage(), undefined)
  assert.deepEqual(said, ['overloaded disk', 'recovered at 0', 'overloaded threads', 'recovered at 1'])
})
