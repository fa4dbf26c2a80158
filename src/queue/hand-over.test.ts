import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALICE, BOB, delivered, item, start, stored } from '../../test/support/queue-bench.ts'
import { nextDueMs } from '../store/queue.ts'
import { LEASE_AHEAD } from './active-list.ts'

test('handed over: it goes at once, with the bytes in memory, and is not leased from the queue', async () => {
  await using bench = await start((_mail, to) => stored(to))
  await bench.until(async () => (await bench.rows()).length === 0)
  await bench.handOver([item(ALICE)], Buffer.from('from memory'))
  await bench.empty()
  assert.deepEqual(
    bench.local.map(({ text }) => text),
    ['from memory'],
  )
})

test('handed over: what would be more than the share of a domain waits in the queue, and comes', async () => {
  const gate = Promise.withResolvers<void>()
  const limits = { runningMax: 1, runningForMax: () => 1 }
  await using bench = await start((_mail, to) => delivered(to), { limits, gate: gate.promise })
  const mails = LEASE_AHEAD
  for (let index = 0; index < mails; index++) await bench.handOver([item(BOB)])
  const due = (await bench.rows()).filter(({ id }) => id > mails / 2)
  assert.equal(due.length, mails / 2)
  gate.resolve()
  await bench.empty()
  assert.equal(bench.relayed.length, mails)
})

test('handed over while the server stops: given back to the queue', async () => {
  await using bench = await start((_mail, to) => delivered(to))
  const handedOver = await bench.queueFor([item(BOB)])
  await bench.worker.stop(100)
  bench.worker.take(handedOver)
  await bench.store.commit(async () => undefined)
  assert.equal(bench.relayed.length, 0)
  assert.equal(await nextDueMs(bench.store.db), bench.clock.ms)
})
