/** MTA-STS records and policies: no throw, and what is read keeps its limits. */
import assert from 'node:assert/strict'
import { fromLatin1, latin1 } from '../src/base/bytes.ts'
import { namesHost, readStsPolicy, readStsRecord } from '../src/relay/mta-sts.ts'

const YEAR_MS = 366 * 24 * 60 * 60_000

export function target(bytes: Uint8Array): void {
  const id = readStsRecord(latin1(bytes).split('\0'))
  if (id !== undefined) assert.match(id, /^[A-Za-z0-9]{1,32}$/)
  const policy = readStsPolicy(bytes)
  if (policy === undefined) return
  assert.ok(policy.maxAgeMs >= 0 && policy.maxAgeMs <= YEAR_MS)
  for (const host of policy.mx) namesHost(policy, host)
}

export function seeds(): Uint8Array[] {
  return [
    'v=STSv1; id=20160831085700Z;\0v=spf1 -all',
    'version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmax_age: 604800\n',
  ].map(fromLatin1)
}
