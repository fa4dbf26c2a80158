import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readTimeMs } from './der-reader.ts'
import { time } from './der-writer.ts'

const times: readonly [text: string, iso: string | undefined, why: string][] = [
  ['260203040506Z', '2026-02-03T04:05:06.000Z', 'UTCTime'],
  ['500203040506Z', '1950-02-03T04:05:06.000Z', 'UTCTime from 50 on is the last century (RFC 5280 §4.1.2.5.1)'],
  ['2602030405Z', '2026-02-03T04:05:00.000Z', 'UTCTime without seconds, which BER allows'],
  ['20600203040506Z', '2060-02-03T04:05:06.000Z', 'GeneralizedTime'],
  ['20600203040506.25Z', '2060-02-03T04:05:06.000Z', 'fractions are cut'],
  ['260230040506Z', undefined, '30 February'],
  ['261301040506Z', undefined, 'month 13'],
  ['260001040506Z', undefined, 'month 0'],
  ['20261301040506Z', undefined, 'month 13 in GeneralizedTime'],
  ['260200040506Z', undefined, 'day 0'],
  ['260431040506Z', undefined, '31 April'],
  ['250229040506Z', undefined, '29 February where there is none'],
  ['240229040506Z', '2024-02-29T04:05:06.000Z', '29 February of a leap year'],
  ['260203046006Z', undefined, 'minute 60'],
  ['260203040560Z', undefined, 'second 60'],
  ['260203240506Z', undefined, 'hour 24'],
  ['260203040506', undefined, 'no Z'],
  ['260203040506+0100', undefined, 'local time'],
  ['', undefined, 'nothing'],
  [`2060020304050${'6'.repeat(1000)}Z`, undefined, 'too long'],
]

for (const [text, iso, why] of times)
  test(`a time is read: ${why}`, () => {
    assert.equal(readTimeMs(Buffer.from(text)), iso === undefined ? undefined : Date.parse(iso))
  })

test('times are written as RFC 5280 §4.1.2.5 wants them', () => {
  assert.equal(Buffer.from(time(Date.parse('2049-12-31T23:59:59.999Z'))).toString('latin1'), '\x17\x0d491231235959Z')
  assert.equal(Buffer.from(time(Date.parse('2050-01-01T00:00:00Z'))).toString('latin1'), '\x18\x0f20500101000000Z')
})
