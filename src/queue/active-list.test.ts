import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Domain } from '../message/address.ts'
import type { BytesId } from '../store/schema.ts'
import type { QueueBatch, QueueItem } from '../store/queue.ts'
import { ActiveList, LEASE_AHEAD } from './active-list.ts'
import { REST_FIRST_MS } from './destinations.ts'

const LIMITS = { runningMax: 4, runningForMax: () => 2 }
const SHARE = (LEASE_AHEAD * LIMITS.runningMax) / 2

test('one domain gets no more than its places, others start past it', () => {
  const list = new ActiveList(LIMITS)
  list.add([batch('a', 1), batch('a', 2), batch('a', 3), batch('b', 4)])
  assert.deepEqual(startAll(list), ['a 1', 'a 2', 'b 4'])
})

test('never more than the limit altogether', () => {
  const list = new ActiveList(LIMITS)
  list.add(['a', 'b', 'c', 'd', 'e', 'f'].map((domain, i) => batch(domain, i)))
  assert.equal(startAll(list).length, LIMITS.runningMax)
})

test('a domain with its share is left out of the next lease, until half of it is done', () => {
  const list = new ActiveList(LIMITS)
  list.add(Array.from({ length: SHARE }, (_, i) => batch('a', i)))
  assert.deepEqual(list.domainsToLeaveOut(0), ['a'])
  const looks: boolean[] = []
  for (let started = list.start(); started !== undefined; started = list.start()) looks.push(list.done(started))
  assert.equal(looks.indexOf(true), SHARE / 2 - 1)
  assert.equal(looks.filter(Boolean).length, 1)
})

test('rows that are here already are not let in again', () => {
  const list = new ActiveList(LIMITS)
  list.add([batch('a', 1, 2)])
  const running = list.start()
  assert.ok(running !== undefined)
  list.add([batch('a', 1, 2, 3), batch('a', 1)])
  assert.deepEqual(list.idsToKeep(), [1, 2, 3])
})

test('what is being recorded keeps the time that it is given', () => {
  const list = new ActiveList(LIMITS)
  list.add([batch('a', 1), batch('b', 2)])
  const running = list.start()
  assert.ok(running !== undefined)
  list.settling(running)
  assert.deepEqual(list.idsToKeep(), [2])
})

test('a domain at rest gives back what waits and is left out until the rest is over', () => {
  const list = new ActiveList(LIMITS)
  list.add([batch('a', 1), batch('b', 2), batch('a', 3)])
  const { batches, untilMs } = list.rest('a' as Domain, 1_000, 0)
  assert.equal(untilMs, 1_000 + REST_FIRST_MS)
  assert.equal(batches.length, 2)
  assert.deepEqual(list.domainsToLeaveOut(1_000), ['a'])
  assert.deepEqual(list.domainsToLeaveOut(untilMs), [])
  assert.deepEqual(startAll(list), ['b 2'])
})

test('no lease before half of the list is free', () => {
  const list = new ActiveList(LIMITS)
  const size = LEASE_AHEAD * LIMITS.runningMax
  list.add(Array.from({ length: size / 2 }, (_, i) => batch(`d${i}`, i)))
  assert.ok(list.room > 0)
  list.add([batch('x', 999)])
  assert.equal(list.room, 0)
})

function batch(domain: string, ...ids: number[]): QueueBatch {
  // only ids and domain are looked at
  const items = ids.map((id) => ({ id }) as QueueItem)
  return { bytesId: ids[0] as BytesId, sizeBytes: 0, mailFrom: '', domain: domain as Domain, items }
}

function startAll(list: ActiveList): string[] {
  const started: string[] = []
  for (let one = list.start(); one !== undefined; one = list.start()) started.push(`${one.domain} ${one.items[0]?.id}`)
  return started
}
