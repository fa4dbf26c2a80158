import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import type { DnsAsk, DnsRecords } from '../base/dns-client.ts'
import { checkSpf } from './spf.ts'

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

const VECTORS = new URL('../../test/vectors/openspf/rfc7208-tests.yml', import.meta.url)
const scenarios = parseAllDocuments(readFileSync(VECTORS, 'utf8')).map((document) => document.toJS() as Scenario)

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

for (const scenario of scenarios)
  test(`RFC 7208: ${scenario.description}`, async () => {
    const ask = zoneOf(scenario)
    for (const [name, { host, helo, mailfrom, result, description }] of Object.entries(scenario.tests)) {
      const got = await checkSpf({ ip: host, mailFrom: mailfrom ?? '', helo }, ask)
      assert(
        [result].flat().includes(got.result),
        `${name}: ${got.result}, not ${String(result)}: ${description ?? ''}`,
      )
    }
  })
