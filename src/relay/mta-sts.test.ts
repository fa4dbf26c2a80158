import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { utf8 } from '../base/bytes.ts'
import { namesHost, readStsPolicy, readStsRecord } from './mta-sts.ts'

const records: readonly [records: readonly string[], id: string | undefined, why: string][] = [
  [['v=STSv1; id=20160831085700Z;'], '20160831085700Z', 'the example of RFC 8461 §3.1'],
  [['v=STSv1;id=1'], '1', 'without blanks and the last semicolon'],
  [['v=STSv1; more=x; id=1; other=y'], '1', 'extensions'],
  [['v=spf1 -all', 'v=STSv1; id=1'], '1', 'among other records'],
  [['v=STSv1; id=1', 'v=STSv1; id=2'], undefined, 'two are none'],
  [['v=STSv1; id=;'], undefined, 'no id'],
  [['v=STSv1;'], undefined, 'no id at all'],
  [['v=STSv1; id=a-b'], undefined, 'no letter or digit'],
  [[`v=STSv1; id=${'1'.repeat(33)}`], undefined, 'too long'],
  [['v=STSv10; id=1'], undefined, 'another version'],
  [['x v=STSv1; id=1'], undefined, 'not at the beginning'],
  [[], undefined, 'nothing'],
]
for (const [texts, id, why] of records) test(`MTA-STS record: ${why}`, () => assert.equal(readStsRecord(texts), id))

const POLICY =
  'version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmx: backupmx.example.com\nmax_age: 604800\n'
const MX = ['mail.example.com', '*.example.net', 'backupmx.example.com']

const policies: readonly [text: string, expected: ReturnType<typeof readStsPolicy>, why: string][] = [
  [POLICY, { mode: 'enforce', mx: MX, maxAgeMs: 604_800_000 }, 'the example of RFC 8461 §3.2'],
  [POLICY.replaceAll('\n', '\r\n'), { mode: 'enforce', mx: MX, maxAgeMs: 604_800_000 }, 'CRLF'],
  ['version:STSv1\nmode:none\nmax_age:1', { mode: 'none', mx: [], maxAgeMs: 1000 }, 'none needs no hosts'],
  [`${POLICY}mode: none\nmax_age: 1\n`, { mode: 'enforce', mx: MX, maxAgeMs: 604_800_000 }, 'the first of each counts'],
  [POLICY.replace('604800', '9999999999'), { mode: 'enforce', mx: MX, maxAgeMs: 31_557_600_000 }, 'a year at most'],
  [POLICY.replace('enforce', 'Enforce'), undefined, 'no mode'],
  [POLICY.replace('STSv1', 'STSv2'), undefined, 'another version'],
  [POLICY.replace('604800', '-1'), undefined, 'no age'],
  [POLICY.replaceAll(/mx: .*\n/g, ''), undefined, 'enforced, and no hosts'],
  ['<html>404</html>', undefined, 'something else'],
  ['', undefined, 'empty'],
]
for (const [text, expected, why] of policies)
  test(`MTA-STS policy: ${why}`, () => assert.deepEqual(readStsPolicy(utf8(text)), expected))

const hosts: readonly [host: string, named: boolean][] = [
  ['mail.example.com', true],
  ['mx.example.net', true],
  ['a.mx.example.net', false],
  ['example.net', false],
  ['.example.net', true],
  ['evilexample.net', false],
  ['example.com', false],
  ['', false],
]
for (const [host, named] of hosts)
  test(`MTA-STS hosts: ${host}`, () => assert.equal(namesHost({ mode: 'enforce', mx: MX, maxAgeMs: 1 }, host), named))

test('any bytes: a policy or none, never a throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readStsPolicy(bytes)))
  fc.assert(fc.property(fc.array(fc.string()), (texts) => void readStsRecord(texts)))
})
