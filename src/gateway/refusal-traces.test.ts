import assert from 'node:assert/strict'
import diagnostics from 'node:diagnostics_channel'
import { test } from 'node:test'
import { EVENT_CHANNEL } from '../base/events.ts'
import * as mailEvents from '../base/mail-events.ts'
import type { Store } from '../store/database.ts'
import { RefusalTraces, TRACED_MAX, TRACED_PER_SOURCE_MAX } from './refusal-traces.ts'

const refusal = mailEvents.refused({ by: 'submission', messageId: '<1@a.example>', reply: '550 5.7.1 No' })

async function flood(commit: () => Promise<unknown>, sources: readonly string[], times: number) {
  let said = 0
  const listen = (): void => void said++
  diagnostics.subscribe(EVENT_CHANNEL, listen)
  const traces = new RefusalTraces({ commit } as unknown as Store)
  for (let time = 0; time < times; time++) for (const source of sources) await traces.tell([refusal], source, 0)
  diagnostics.unsubscribe(EVENT_CHANNEL, listen)
  return said
}

test('who is refused in a loop leaves few rows, and many who are leave not many more; the log has all', async () => {
  let kept = 0
  const commit = async (): Promise<void> => void kept++
  assert.equal(await flood(commit, ['ann@a.example'], 200), 200)
  assert.ok(kept >= TRACED_PER_SOURCE_MAX && kept < 2 * TRACED_PER_SOURCE_MAX, `${kept} rows`)
  kept = 0
  const many = Array.from({ length: 100 }, (_, index) => `192.0.2.${index}`)
  assert.equal(await flood(commit, many, 2), 200)
  assert.ok(kept >= TRACED_MAX && kept < 2 * TRACED_MAX, `${kept} rows`)
})

test('a store that cannot be written to keeps nobody from being refused', async () => {
  const said = await flood(() => Promise.reject(new Error('disk full')), ['ann@a.example'], 1)
  assert.equal(said, 2) // the trouble, and the refusal
})
