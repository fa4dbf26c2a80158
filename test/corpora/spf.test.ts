/** SPF: the suite of openspf.org for RFC 7208 (release 2014.04), as Debian's python3-spf brings it. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { parseAllDocuments } from 'yaml'
import { checkSpf } from '../../src/authentication/spf.ts'
import type { DnsAsk, DnsRecords } from '../../src/base/dns-client.ts'

interface Scenario {
  readonly description: string
  readonly tests: Readonly<
    Record<
      string,
      {
        readonly helo: string
        readonly host: string
        readonly mailfrom: string
        readonly result: string | readonly string[]
        readonly description?: string
        readonly spec: string
      }
    >
  >
  readonly zonedata: Readonly<Record<string, readonly ('TIMEOUT' | Readonly<Record<string, unknown>>)[]>>
}

const SUITE = '/usr/share/doc/python3-spf/rfc7208-tests.yml.gz'
const skip = existsSync(SUITE) ? false : `${SUITE} is missing: apt-get install python3-spf`
const SCENARIOS = 16

function readSuite(): readonly Scenario[] {
  const text = gunzipSync(readFileSync(SUITE)).toString('utf8')
  return parseAllDocuments(text).map((document) => document.toJS() as Scenario)
}

/** The suite is older than RFC 7208: what it files under SPF stands as TXT where no TXT is given. */
function zoneOf({ zonedata }: Scenario): DnsAsk {
  const names = new Map(Object.entries(zonedata).map(([name, rows]) => [name.toLowerCase(), rows]))
  const answer: DnsAsk = (name, type) => {
    const rows = names.get(name.toLowerCase().replace(/\.$/, ''))
    const alias = rows?.find((row) => row !== 'TIMEOUT' && 'CNAME' in row)
    if (alias !== undefined && alias !== 'TIMEOUT') return answer(String(alias['CNAME']), type)
    if (rows === undefined) return Promise.resolve({ kind: 'no-domain', secure: false })
    const records = rows.filter((row) => row !== 'TIMEOUT')
    const filed = type === 'TXT' && !records.some((row) => 'TXT' in row) ? 'SPF' : type
    const found = records.flatMap((row) => (filed in row && row[filed] !== 'NONE' ? [readRow(filed, row[filed])] : []))
    if (found.length === 0 && rows.includes('TIMEOUT'))
      return Promise.resolve({ kind: 'trouble', why: 'the suite says so' })
    if (found.length === 0) return Promise.resolve({ kind: 'none', secure: false })
    return Promise.resolve({ kind: 'records', records: found as DnsRecords[typeof type][], secure: false })
  }
  return answer
}

function readRow(type: string, value: unknown): unknown {
  if (type === 'MX') {
    const [preference, exchange] = value as [number, string]
    return { preference, exchange: exchange.toLowerCase().replace(/\.$/, '') }
  }
  if (type === 'PTR') return String(value).toLowerCase()
  return Array.isArray(value) ? value.join('') : String(value)
}

test('the openspf.org suite for RFC 7208', { skip }, async (t) => {
  const scenarios = readSuite()
  assert.equal(scenarios.length, SCENARIOS)
  for (const scenario of scenarios)
    await t.test(scenario.description, async () => {
      const ask = zoneOf(scenario)
      for (const [name, { host, helo, mailfrom, result, description }] of Object.entries(scenario.tests)) {
        const got = await checkSpf({ ip: host, mailFrom: mailfrom ?? '', helo }, ask)
        const told = `${name}: ${got.result}, not ${String(result)}: ${description ?? ''}`
        assert([result].flat().includes(got.result), told)
      }
    })
})
