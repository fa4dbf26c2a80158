import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../base/bytes.ts'
import { ANSWERED_MAX, answeredIds, messageIdIn } from './message-ids.ts'
import { parsePart } from './parse.ts'

const fieldsOf = (header: string) => parsePart(utf8(`${header}\r\n\r\n`)).fields

const headers: readonly [header: string, ids: readonly string[], why: string][] = [
  ['In-Reply-To: <1@x>', ['<1@x>'], 'In-Reply-To'],
  ['References: <1@x> <2@x>\r\n\t<3@x>', ['<1@x>', '<2@x>', '<3@x>'], 'References, folded'],
  ['References: <1@x>\r\nIn-Reply-To: <1@x>', ['<1@x>'], 'each once'],
  [
    'In-Reply-To: Your message of Monday <1@x> (in part)',
    ['<1@x>'],
    'phrases and comments around it (RFC 5322 §4.5.4)',
  ],
  ['X-Forwarded-Message-Id: <1@x>', ['<1@x>'], 'what Thunderbird forwards'],
  ['In-Reply-To: <1@x\r\nReferences: 2@x>', [], 'half brackets'],
  ['Subject: <1@x>', [], 'another field'],
]
for (const [header, ids, why] of headers)
  test(`answered: ${why}`, () => assert.deepEqual(answeredIds(fieldsOf(header)), ids))

test('of a long thread the nearest count', () => {
  const ids = Array.from({ length: ANSWERED_MAX + 5 }, (_, at) => `<${at}@x>`)
  assert.deepEqual(answeredIds(fieldsOf(`References: ${ids.join('\r\n ')}`)), ids.slice(5))
})

test('a Message-ID is read with its brackets', () => {
  assert.equal(messageIdIn(fieldsOf('Message-ID: (c) <1@x> ')), '<1@x>')
  assert.equal(messageIdIn(fieldsOf('Message-ID: 1@x')), undefined)
})
