import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DnsAsk } from '../base/dns-client.ts'
import type { Domain } from '../message/address.ts'
import { type Vouched, checkDmarc } from './dmarc.ts'

const ZONE: Readonly<Record<string, string>> = {
  '_dmarc.example.com': 'v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:d@example.com',
  '_dmarc.own.example.com': 'v=DMARC1; p=none',
  '_dmarc.strict.example': 'v=DMARC1;p=reject;adkim=s;aspf=s',
  '_dmarc.testing.example': 'v=DMARC1; p=reject; t=y',
  '_dmarc.bank': 'v=DMARC1; p=reject; psd=y',
  '_dmarc.town.bank': 'v=DMARC1; p=quarantine',
  '_dmarc.uni.example': 'v=DMARC1; p=none',
  '_dmarc.dept.uni.example': 'v=DMARC1; p=reject; psd=n',
  '_dmarc.odd.example': 'v=DMARC1; rua=mailto:x@odd.example',
}
const EXISTING = new Set(['mail.example.com'])

function asking(asked: string[] = []): DnsAsk {
  return (name, type) => {
    asked.push(name)
    if (name.includes('down')) return Promise.resolve({ kind: 'trouble', why: 'SERVFAIL' })
    const record = type === 'TXT' ? ZONE[name] : undefined
    if (record === undefined) return Promise.resolve({ kind: EXISTING.has(name) ? 'none' : 'no-domain', secure: false })
    return Promise.resolve({ kind: 'records', records: [record] as never[], secure: false })
  }
}

const by = (spf: string | undefined, ...dkim: string[]): Vouched => ({ spf, dkim, undecided: false })

const cases: readonly [author: string, vouched: Vouched, result: string, why: string][] = [
  ['example.com', by('example.com'), 'pass reject', 'SPF of the very domain'],
  ['example.com', by(undefined, 'mail.example.com'), 'pass reject', 'relaxed: a subdomain signs for its organization'],
  ['mail.example.com', by(undefined, 'example.com'), 'pass reject', 'relaxed: the organization signs for a subdomain'],
  ['example.com', by('evil.example', 'evil.example'), 'fail reject', 'somebody else'],
  ['example.com', by('notexample.com'), 'fail reject', 'a name that only ends alike'],
  ['mail.example.com', by(undefined), 'fail quarantine', 'the policy for subdomains'],
  ['ghost.example.com', by(undefined), 'fail reject', 'the policy for names that are not there'],
  ['own.example.com', by(undefined), 'fail none', 'a subdomain with a record of its own'],
  ['strict.example', by('mail.strict.example'), 'fail reject', 'strict: not the very domain'],
  ['strict.example', by(undefined, 'strict.example'), 'pass reject', 'strict: the very domain'],
  ['testing.example', by(undefined), 'fail quarantine', 't=y asks for one step less'],
  ['town.bank', by('other.bank'), 'fail quarantine', 'two customers of one registry'],
  ['shop.village.bank', by('village.bank'), 'pass reject', 'below a registry, without records of their own'],
  ['village.bank', by('town.bank'), 'fail reject', "the registry's own policy"],
  ['dept.uni.example', by('uni.example'), 'fail reject', 'psd=n: an organization of its own'],
  ['nothing.example', by(undefined), 'none', 'no record'],
  ['odd.example', by(undefined), 'fail none', 'no p= is p=none'],
  ['down.example', by(undefined), 'temperror', 'the name server is in trouble'],
]

for (const [author, vouched, expected, why] of cases)
  test(`DMARC: ${author}: ${why}`, async () => {
    const { result, policy } = await checkDmarc([author as Domain], vouched, asking())
    assert.equal([result, policy].filter((word) => word !== undefined).join(' '), expected)
  })

test('a signature that could not be checked is no failure', async () => {
  const vouched = { spf: undefined, dkim: [], undecided: true }
  assert.equal((await checkDmarc(['example.com' as Domain], vouched, asking())).result, 'temperror')
})

test('of several authors the worst counts, and there are not many', async () => {
  const authors = ['example.com', 'nothing.example'] as Domain[]
  assert.equal((await checkDmarc(authors, by('nothing.example'), asking())).result, 'fail')
  const many = Array.from({ length: 100 }, (_each, index) => `a${index}.example` as Domain)
  assert.equal((await checkDmarc(many, by(undefined), asking())).result, 'permerror')
})

test('a name of a hundred labels asks eight questions', async () => {
  const asked: string[] = []
  await checkDmarc([`${'a.'.repeat(100)}example.org` as Domain], by(undefined), asking(asked))
  assert.equal(asked.length, 8)
  assert.equal(asked[1], '_dmarc.a.a.a.a.a.example.org')
  assert.equal(asked.at(-1), '_dmarc.org')
})
