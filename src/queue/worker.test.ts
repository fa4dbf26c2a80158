import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  ALICE,
  BOB,
  EVE,
  HERE,
  address,
  deferred,
  delivered,
  failed,
  item,
  start,
  stored,
  unreachable,
} from '../../test/support/queue-bench.ts'
import { type MailEvent, sentenceOf } from '../base/mail-events.ts'
import { type Address, domainOf } from '../message/address.ts'
import type { RecipientResult } from '../protocol/delivery.ts'
import { reply } from '../protocol/smtp-reply.ts'
import { noteChange } from '../store/changes.ts'
import { leaseBatches } from '../store/leases.ts'
import { releaseItems } from '../store/queue.ts'
import { eventOf, traceOf } from '../store/trace.ts'
import { PLACES_FIRST, REST_FIRST_MS } from './destinations.ts'

const HOUR_MS = 3_600_000

test('delivered: the row and the bytes are gone, the trace tells', async () => {
  await using bench = await start((_mail, to) => delivered(to))
  await bench.queue([item(BOB)])
  await bench.empty()
  assert.equal((await bench.count('bytes')).length, 0)
  const trace = await traceOf(bench.store.db, '<1@here.example>')
  assert.deepEqual(
    trace.map((entry) => sentenceOf(eventOf(entry) as MailEvent)),
    ['delivered to bob@there.example at mx.there.example: 250 2.0.0 Ok'],
  )
})

test('recipients of one message in one domain go together, others apart', async () => {
  await using bench = await start((_mail, to) => delivered(to))
  const carol = address('carol@third.example')
  await bench.queue([item(BOB), item(EVE), item(carol)])
  await bench.empty()
  const batches = bench.relayed.map((mail) => mail.recipients.map((path) => path.address))
  assert.deepEqual(
    batches.toSorted((a, b) => b.length - a.length),
    [[BOB, EVE], [carol]],
  )
})

test('failed: a DSN to the sender is queued in the same transaction and takes the local way', async () => {
  await using bench = await start((_mail, to) =>
    domainOf(to) === HERE ? stored(to) : failed(to, '5.1.1', 'Unknown user'),
  )
  await bench.queue([item(BOB)])
  await bench.empty()
  const [dsn] = bench.local
  assert.equal(dsn?.mail.mailFrom, '')
  assert.deepEqual(
    dsn?.mail.recipients.map((path) => path.address),
    [ALICE],
  )
  const text = dsn?.text ?? ''
  assert.match(text, /^Auto-Submitted: auto-replied\r$/m)
  assert.match(text, /^Final-Recipient: rfc822; bob@there\.example\r\nAction: failed\r\nStatus: 5\.1\.1\r$/m)
  assert.match(text, /^Subject: secret plan\r$/m)
  assert.doesNotMatch(text, /body text/)
})

const wishes: readonly [
  notify: string | undefined,
  outcome: 'delivered' | 'failed',
  told: string | undefined,
  why: string,
][] = [
  [undefined, 'failed', 'failed', 'RFC 3461 §4.1: without NOTIFY a failure is told'],
  ['FAILURE', 'failed', 'failed', 'asked for'],
  ['NEVER', 'failed', undefined, 'not wanted'],
  ['DELAY', 'failed', undefined, 'only delays wanted'],
  ['SUCCESS,FAILURE', 'delivered', 'relayed', 'RFC 3461 §5.2.2: the next hop knows no DSN'],
  [undefined, 'delivered', undefined, 'success is not told unasked'],
]
for (const [notify, outcome, told, why] of wishes)
  test(`NOTIFY=${notify} and ${outcome}: ${why}`, async () => {
    await using bench = await start((_mail, to) => {
      if (domainOf(to) === HERE) return stored(to)
      return outcome === 'failed' ? failed(to, '5.1.1', 'No') : delivered(to)
    })
    await bench.queue([{ ...item(BOB), dsn: notify === undefined ? {} : { notify } }])
    await bench.empty()
    assert.equal(bench.local.length, told === undefined ? 0 : 1)
    if (told !== undefined) assert.match(bench.local[0]?.text ?? '', new RegExp(`^Action: ${told}\\r$`, 'm'))
  })

test('a next hop that knows DSN reports success itself', async () => {
  await using bench = await start((_mail, to) => ({ ...delivered(to), dsnPassedOn: true }))
  await bench.queue([{ ...item(BOB), dsn: { notify: 'SUCCESS' } }])
  await bench.empty()
  assert.equal(bench.local.length, 0)
})

test('the null reverse-path gets no DSN (RFC 5321 §4.5.5): the trace keeps the failure', async () => {
  await using bench = await start((_mail, to) => failed(to, '5.1.1', 'No'))
  await bench.queue([{ ...item(BOB), mailFrom: '' }])
  await bench.empty()
  assert.equal(bench.local.length, 0)
  const [entry] = await traceOf(bench.store.db, '<1@here.example>')
  assert.equal(entry?.event, 'discarded')
})

test('deferred: counted, put off, said once after four hours, returned after five days', async () => {
  await using bench = await start((_mail, to) =>
    domainOf(to) === HERE ? stored(to) : deferred(to, '4.2.1', 'Come back later'),
  )
  await bench.queue([item(BOB)])
  await bench.until(async () => (await bench.rows())[0]?.attempts === 1)
  const [row] = await bench.rows()
  assert.equal(row?.lastReply, '450 4.2.1 Come back later')
  assert.equal(row?.nextAttemptMs, bench.clock.ms + 5 * 60_000)
  await bench.goOn(4 * HOUR_MS)
  await bench.until(() => bench.local.length === 1)
  assert.match(bench.local[0]?.text ?? '', /^Action: delayed\r\nStatus: 4\.2\.1\r$/m)
  await bench.goOn(4 * HOUR_MS)
  await bench.until(async () => (await bench.rows())[0]?.attempts === 3)
  assert.equal(bench.local.length, 1)
  await bench.goOn(120 * HOUR_MS)
  await bench.empty()
  assert.match(bench.local[1]?.text ?? '', /^Action: failed\r\nStatus: 4\.4\.7\r$/m)
  assert.match(bench.local[1]?.text ?? '', /Come back later/)
})

test('one message, three fates: one DSN about those that failed', async () => {
  const fred = address('fred@there.example')
  await using bench = await start((_mail, to) => {
    if (domainOf(to) === HERE) return stored(to)
    return to === BOB ? delivered(to) : to === EVE ? failed(to, '5.2.1', 'Gone') : deferred(to, '4.2.2', 'Full')
  })
  await bench.queue([item(BOB), item(EVE), item(fred)])
  await bench.until(async () => (await bench.rows()).length === 1)
  assert.deepEqual(
    (await bench.rows()).map((row) => row.recipient),
    [fred],
  )
  assert.equal(bench.local.length, 1)
  assert.doesNotMatch(bench.local[0]?.text ?? '', /bob@|fred@/)
})

test('a deliverer that throws or forgets a recipient puts the mail off', async () => {
  await using bench = await start(() => {
    throw new Error('bug')
  })
  await bench.queue([item(BOB)])
  await bench.until(async () => (await bench.rows())[0]?.attempts === 1)
  const [row] = await bench.rows()
  assert.match(row?.lastReply ?? '', /^451 4\.3\.0/)
  assert.ok((row?.nextAttemptMs ?? 0) <= bench.clock.ms + 5_000, 'soon: the next hop is not to blame')
})

test('a lease that a crash left behind ends at the start', async () => {
  await using bench = await start((_mail, to) => delivered(to), { started: false })
  await bench.queue([item(BOB)])
  await bench.store.commit((tx) => leaseBatches(tx, { nowMs: bench.clock.ms, leaseMs: HOUR_MS, limit: 9, node: '' }))
  await bench.worker.start()
  await bench.empty()
})

test('stop: what runs is finished, what has not started stays', async () => {
  const gate = Promise.withResolvers<void>()
  await using bench = await start((_mail, to) => delivered(to), {
    limits: { runningMax: 1, runningForMax: () => 1 },
    gate: gate.promise,
  })
  await bench.queue([item(BOB)])
  await bench.queue([item(EVE)])
  await bench.until(() => bench.relayed.length === 1)
  const stopped = bench.worker.stop(5_000)
  gate.resolve()
  await stopped
  assert.deepEqual(
    (await bench.rows()).map((row) => row.recipient),
    [EVE],
  )
  const again = await bench.store.commit((tx) =>
    leaseBatches(tx, { nowMs: bench.clock.ms, leaseMs: 1, limit: 9, node: '' }),
  )
  assert.equal(again.length, 1, 'and may be leased by the next one at once')
})

test('stop: what hangs is broken off after the grace', async () => {
  const gate = Promise.withResolvers<void>()
  await using bench = await start((_mail, to) => deferred(to, '4.4.2', 'Broken off'), {
    gate: gate.promise,
    abort: () => gate.resolve(),
  })
  await bench.queue([item(BOB)])
  await bench.until(() => bench.relayed.length === 1)
  await bench.worker.stop(50)
  assert.match((await bench.rows())[0]?.lastReply ?? '', /Broken off/)
})

test('mail for a host that is down rests instead of queueing up for it; other mail goes on', async () => {
  await using bench = await start((_mail, to) => (domainOf(to) === domainOf(BOB) ? unreachable(to) : delivered(to)), {
    limits: { runningMax: 2, runningForMax: () => 1 },
    started: false,
  })
  for (let i = 0; i < 10; i++) await bench.queue([item(BOB)], false)
  await bench.queue([item(address('carol@third.example'))])
  await bench.worker.start()
  await bench.until(async () => (await bench.rows()).length === 10)
  await bench.until(async () => (await bench.rows()).some((row) => row.attempts === 1))
  await sleep(50)
  assert.ok(bench.relayed.filter((mail) => mail.domain === domainOf(BOB)).length <= 2)
  const rested = (await bench.rows()).filter((row) => row.attempts === 0)
  const shown = rested.map(({ nextAttemptMs, lastReply }) => [nextAttemptMs - bench.clock.ms, lastReply])
  assert.ok(rested.length > 0)
  assert.deepEqual(new Set(shown.map(String)), new Set([`${REST_FIRST_MS},451 4.4.1 No connection`]))
})

test('a domain that cannot be reached is asked once after each rest, and each rest is longer', async () => {
  let isUp = false
  await using bench = await start((_mail, to) => (isUp ? delivered(to) : unreachable(to)))
  await bench.queue([item(BOB)])
  await bench.until(async () => (await bench.rows())[0]?.attempts === 1)
  const askedAfter = [1, 3, 7] // behind rests of 1, 2 and 4 minutes
  const isPutOff = ({ nextAttemptMs }: { nextAttemptMs: number }): boolean => nextAttemptMs > bench.clock.ms
  for (let minute = 1; minute <= 8; minute++) {
    const before = bench.relayed.length
    await bench.queue([item(EVE)], false)
    await bench.goOn(60_000)
    if (askedAfter.includes(minute)) await bench.until(async () => (await bench.rows()).every(isPutOff))
    else await sleep(20)
    assert.equal(bench.relayed.length > before, askedAfter.includes(minute), `after ${minute} minutes`)
  }
  isUp = true
  await bench.goOn(HOUR_MS)
  await bench.empty()
})

test('an administrator who has mail tried again ends the rest of its domain', async () => {
  let isUp = false
  await using bench = await start((_mail, to) => (isUp ? delivered(to) : unreachable(to)))
  await bench.queue([item(BOB)])
  await bench.until(async () => (await bench.rows())[0]?.attempts === 1)
  isUp = true
  const { store, clock } = bench
  const retry = (note: boolean): Promise<void> =>
    store.commit(async (tx) => {
      const ids = (await bench.rows()).map(({ id }) => id)
      await releaseItems(tx, ids, clock.ms)
      if (note) await noteChange(tx, 'queue-retries')
    })
  await retry(false)
  await bench.goOn(0)
  await sleep(50)
  assert.equal((await bench.rows()).length, 1, 'what is only due waits until the rest is over')
  await retry(true)
  await bench.goOn(0)
  await bench.empty()
})

test('a domain that has enough of us gets fewer at a time', async () => {
  const busy = (to: Address): RecipientResult => ({
    ...deferred(to, '4.3.2', ''),
    reply: reply(421, '4.3.2', 'Enough'),
  })
  await using bench = await start((_mail, to) => busy(to))
  await bench.queue([item(BOB)])
  await bench.until(async () => (await bench.rows())[0]?.attempts === 1)
  const others = Array.from({ length: 30 }, (_, nth) => address(`u${nth}@there.example`))
  for (const to of others) await bench.queue([item(to)], false)
  bench.worker.notify()
  await bench.until(async () => (await bench.rows()).every((row) => row.attempts === 1))
  assert.equal(bench.runningMax, PLACES_FIRST / 2)
})

test('many messages to one domain: each once, never more at a time than allowed', async () => {
  await using bench = await start((_mail, to) => delivered(to), { limits: { runningMax: 20, runningForMax: () => 7 } })
  const all = Array.from({ length: 400 }, (_, i) => address(`u${i}@there.example`))
  await Promise.all(all.map((to) => bench.queue([item(to)], false)))
  bench.worker.notify()
  await bench.empty()
  const sent = bench.relayed.flatMap((mail) => mail.recipients.map((path) => path.address))
  assert.deepEqual(sent.toSorted(), all.toSorted())
  assert.ok(bench.runningMax <= 7, `${bench.runningMax} at a time`)
})
