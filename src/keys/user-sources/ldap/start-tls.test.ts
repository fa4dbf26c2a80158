import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readStartTlsAnswer, startTlsRequest } from './start-tls.ts'

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex')
const SUCCESS = '30 0c 02 01 01 78 07 0a 01 00 04 00 04 00'

const cases: readonly [hex: string, expected: RegExp | 'begin' | 'more', why: string][] = [
  [SUCCESS, 'begin', 'success'],
  ['', 'more', 'nothing yet'],
  [SUCCESS.slice(0, -3), 'more', 'all but the last byte'],
  ['30 84 00 00 00 0c', 'more', 'a length in four bytes, as Active Directory writes it'],
  ['30 0c 02 01 01 78 07 0a 01 34 04 00 04 00', /refused \(result code 52\)/, 'unavailable'],
  [`${SUCCESS} 30`, /something follows/, 'the beginning of an answer in clear'],
  [`${SUCCESS} 30 0c 02 01 02 61 07 0a 01 00 04 00 04 00`, /something follows/, 'a successful bind in clear'],
  ['30 0c 02 01 02 78 07 0a 01 00 04 00 04 00', /is none/, 'an answer to something else'],
  ['30 0c 02 01 01 61 07 0a 01 00 04 00 04 00', /is none/, 'an answer to a bind'],
  ['30 80 02 01 01', /is none/, 'indefinite length'],
  ['32 32 30 20', /is none/, 'another protocol'],
  ['30 84 ff ff ff ff 02', /.+/, 'a length that is negative to some'],
  ['00'.repeat(5_000), /too long/, 'more than an answer has'],
]

for (const [hex, expected, why] of cases)
  test(why, () => {
    const answer = readStartTlsAnswer(bytes(hex))
    if (expected === 'more') assert.equal(answer, undefined)
    else if (expected === 'begin') assert.deepEqual(answer, { ok: true, value: true })
    else assert.match(answer === undefined || answer.ok ? 'begun' : answer.error, expected)
  })

test('the request is the one of the RFC', () => {
  const name = Buffer.from('1.3.6.1.4.1.1466.20037').toString('hex')
  assert.equal(Buffer.from(startTlsRequest()).toString('hex'), `301d02010177188016${name}`)
})
