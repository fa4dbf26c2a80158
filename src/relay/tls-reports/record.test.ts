import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readReportRecord } from './record.ts'

const cases: readonly [records: readonly string[], places: readonly string[], why: string][] = [
  [['v=TLSRPTv1;rua=mailto:reports@example.com'], ['reports@example.com'], 'the first example of RFC 8460'],
  [['v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt'], ['https://reporting.example.com/v1/tlsrpt'], 'HTTPS'],
  [['v=TLSRPTv1;rua=mailto:a@b.example, mailto:c%2Bd@e.example'], ['a@b.example', 'c+d@e.example'], 'two, one encoded'],
  [['v=TLSRPTv1;rua=http://a.example/,ftp://b.example,mailto:nobody,mailto:%ff@x.example'], [], 'nothing that we do'],
  [['v=TLSRPTv1;rua=mailto:a@b.example', 'v=TLSRPTv1;rua=mailto:c@d.example'], [], 'two records'],
  [['v=TLSRPTv2;rua=mailto:a@b.example'], [], 'another version'],
  [['v=spf1 -all', 'v=TLSRPTv1;rua=mailto:a@b.example'], ['a@b.example'], 'other records beside it'],
  [[`v=TLSRPTv1;rua=${'mailto:a@b.example,'.repeat(100)}`], Array<string>(5).fill('a@b.example'), 'a hundred places'],
  [['v=TLSRPTv1;rua=mailto:a@b.example?cc=victim@c.example'], [], 'an address with more in it'],
]

for (const [records, places, why] of cases)
  test(`TLSRPT record: ${why}`, () => {
    const read = readReportRecord(records).map((place) => (place.kind === 'mail' ? place.to : place.url))
    assert.deepEqual(read, places)
  })
