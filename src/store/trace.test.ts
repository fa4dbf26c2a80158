import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as mailEvents from '../base/mail-events.ts'
import { entriesOf, eventOf } from './trace.ts'

const delivered = (messageId: string) => mailEvents.delivered({ messageId, recipient: 'b@x.example', reply: '250 Ok' })

test('what is kept of an event is the event again', () => {
  const event = delivered('<1@a.example>')
  const [entry, another] = entriesOf([event], 5)
  assert.ok(entry !== undefined && another === undefined)
  assert.deepEqual([entry.atMs, entry.messageId, entry.event], [5, '<1@a.example>', 'delivered'])
  assert.deepEqual(eventOf(entry), event)
})

test('of a mail without a Message-ID nothing is kept: nobody could ask for it', () => {
  assert.deepEqual(entriesOf([delivered('')], 5), [])
})

const OTHERS: readonly [event: string, detail: string, why: string][] = [
  ['delivered', 'b@x.example at mx.x.example: 250 Ok', 'a sentence'],
  ['delivered', '{b@x.example at mx.x.example: 250 {}}', 'a sentence that begins as JSON does'],
  ['thawed', '{"recipient":"b@x.example"}', 'an event of another version'],
]
for (const [event, detail, why] of OTHERS)
  test(`left as it is: ${why}`, () => {
    assert.equal(eventOf({ atMs: 5, messageId: '<1@a.example>', event, detail }), undefined)
  })
