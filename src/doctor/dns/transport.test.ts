import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DnsAsk } from '../../base/dns-client.ts'
import { utf8 } from '../../base/bytes.ts'
import { fail, ok, type Result } from '../../base/result.ts'
import type { Config } from '../../config/load.ts'
import { type Domain, parseDomain } from '../../message/address.ts'
import type { Patient } from '../patient.ts'
import { examineMtaSts } from './transport.ts'

const DOMAIN = parseDomain('abc.example') as Domain
const RECORD = 'v=STSv1; id=1;'
const policy = (mode: string, mx: string): Result<Uint8Array> =>
  ok(utf8(`version: STSv1\nmode: ${mode}\nmx: ${mx}\nmax_age: 604800\n`))

const cases: readonly [record: string | undefined, policy: Result<Uint8Array>, expected: RegExp, why: string][] = [
  [undefined, fail('404'), /^hint: there is none/, 'no record'],
  ['v=STSv1', fail('404'), /^hint: the record cannot be read/, 'a record without an id'],
  [RECORD, fail('404'), /^broken: .*mta-sts\.txt cannot be had: 404/, 'no policy behind it'],
  [RECORD, ok(utf8('<html>')), /^broken: .*is no policy/, 'a web page instead'],
  [RECORD, policy('enforce', 'mail.abc.example'), /^ok: mode enforce/, 'our host is named'],
  [RECORD, policy('enforce', '*.abc.example'), /^ok: mode enforce/, 'by a pattern'],
  [
    RECORD,
    policy('enforce', 'old.abc.example'),
    /^broken: does not name mail\.abc\.example/,
    'it is not: nobody delivers',
  ],
  [RECORD, policy('testing', 'old.abc.example'), /^warning: does not name/, 'it is not, and that is only reported'],
  [RECORD, policy('none', 'old.abc.example'), /^ok: mode none/, 'a policy that is being withdrawn'],
]

for (const [record, fetched, expected, why] of cases)
  test(`MTA-STS: ${why}`, async () => {
    const ask = (async (name: string) => {
      assert.equal(name, '_mta-sts.abc.example')
      return record === undefined
        ? { kind: 'none', secure: false }
        : { kind: 'records', records: [record], secure: false }
    }) as DnsAsk
    const config = { hostname: 'mail.abc.example' } as Config
    const patient: Patient = {
      config,
      ask,
      askBelieving: ask,
      fetch: async () => fetched,
      domains: [DOMAIN],
      nowMs: 0,
      certificates: [],
    }
    const { level, finding } = await examineMtaSts(patient, DOMAIN)
    assert.match(`${level}: ${finding}`, expected)
  })
