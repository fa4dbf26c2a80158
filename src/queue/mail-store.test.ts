/** Rows of opened mail: where they go, and what becomes of them when the mail store refuses or cannot be reached. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALICE, BOB, delivered, failed, item, start, unreachable } from '../../test/support/queue-bench.ts'
import { releaseItems } from '../store/queue.ts'
import { STORE_REST } from './destinations.ts'

const opened = { bodyKind: 'opened' } as const

test('what has been opened goes to the mail store only, whosever domain it is', async () => {
  await using bench = await start((_mail, to) => delivered(to))
  await bench.queue([
    { ...item(ALICE), ...opened },
    { ...item(BOB), ...opened },
  ])
  await bench.empty()
  assert.deepEqual(bench.stored.flatMap((mail) => mail.recipients.map(({ address }) => address)).toSorted(), [
    ALICE,
    BOB,
  ])
  assert.deepEqual([bench.relayed.length, bench.local.length], [0, 0])
})

test('refused, and the sender may not be told: held, with the reply; when it is released it is tried at once', async () => {
  await using bench = await start((_mail, to) => failed(to, '5.2.2', 'Full'))
  await bench.queue([{ ...item(ALICE), ...opened, dsn: { notify: 'NEVER' } }])
  await bench.until(async () => (await bench.rows())[0]?.state === 'held')
  const [row] = await bench.rows()
  assert.match(row?.lastReply ?? '', /5\.2\.2 Full/)
  await bench.store.commit((tx) => releaseItems(tx, [row?.id ?? 0], bench.clock.ms))
  bench.worker.notify()
  await bench.until(() => bench.stored.length === 2)
})

test('not to be reached: asked again soon', async () => {
  await using bench = await start((_mail, to) => unreachable(to))
  await bench.queue([{ ...item(ALICE), ...opened }])
  await bench.until(async () => (await bench.rows())[0]?.attempts === 1)
  assert.equal(((await bench.rows())[0]?.nextAttemptMs ?? 0) - bench.clock.ms, STORE_REST.firstMs)
})
