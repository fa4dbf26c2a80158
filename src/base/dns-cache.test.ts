import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cachedDns } from './dns-cache.ts'
import type { DnsAnswer, DnsAsk } from './dns-client.ts'

test('an answer is kept for a minute, trouble and long answers are not', async () => {
  let nowMs = 0
  const asked: string[] = []
  const answers: Readonly<Record<string, DnsAnswer<string>>> = {
    short: { kind: 'records', records: ['v=spf1 -all'], secure: false },
    long: { kind: 'records', records: ['x'.repeat(5_000)], secure: false },
    none: { kind: 'none', secure: false },
    down: { kind: 'trouble', why: 'SERVFAIL' },
  }
  const ask = cachedDns(((name: string) => (asked.push(name), Promise.resolve(answers[name]))) as unknown as DnsAsk, {
    nowMs: () => nowMs,
  })
  const countFor = async (name: string): Promise<number> => {
    asked.length = 0
    await Promise.all([ask(name, 'TXT'), ask(name.toUpperCase(), 'TXT')])
    for (let round = 0; round < 3; round++) assert.equal(await ask(name, 'TXT'), answers[name])
    return asked.length
  }
  assert.equal(await countFor('short'), 1)
  assert.equal(await countFor('none'), 1)
  assert.equal(await countFor('long'), 4)
  assert.equal(await countFor('down'), 4)
  nowMs = 61_000
  assert.equal(await countFor('short'), 1)
})

test('four thousand names are kept, the newest', async () => {
  let asked = 0
  const answer: DnsAnswer<string> = { kind: 'no-domain', secure: false }
  const ask = cachedDns(() => (asked++, Promise.resolve(answer)), { nowMs: () => 0 })
  for (let index = 0; index < 10_000; index++) await ask(`${index}.example`, 'TXT')
  assert.equal(asked, 10_000)
  await ask('9999.example', 'TXT')
  await ask('6001.example', 'TXT')
  assert.equal(asked, 10_000)
  await ask('1.example', 'TXT')
  assert.equal(asked, 10_001)
})
