import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fail, ok } from '../base/result.ts'
import { parseAddress } from '../message/address.ts'
import type { FetchRequest } from './http-fetch.ts'
import { KEYS_MAX_BYTES, type LookUpRules, keySources } from './key-sources.ts'

const HASH = 'iy9q119eutrkn8s1mk4r39qejnbu3n5q'
const ADVANCED = `https://openpgpkey.example.org/.well-known/openpgpkey/example.org/hu/${HASH}?l=Joe.Doe`
const DIRECT = `https://example.org/.well-known/openpgpkey/hu/${HASH}?l=Joe.Doe`
const NOBODY: LookUpRules = { dns: false, wkd: false, vks: [], hkp: [] }

type HostState = 'there' | 'missing' | 'unknown'

async function ask(
  rules: LookUpRules,
  host: HostState = 'there',
  who = 'Joe.Doe@Example.ORG',
  broken = false,
  dns?: unknown,
) {
  const asked: FetchRequest[] = []
  const names: string[] = []
  const sources = keySources(rules, {
    fetch: async (request) => {
      asked.push(request)
      return broken ? fail('the server answered 500') : ok(Uint8Array.of(1))
    },
    lookUp: async () => {
      if (host === 'unknown') throw new Error('SERVFAIL')
      return host === 'there' ? [{ address: '192.0.2.1', family: 4 }] : []
    },
    askDns: async (name) => {
      names.push(name)
      return dns as never
    },
    read: () => [],
  })
  const address = parseAddress(who)
  assert(address !== undefined)
  const answers = []
  for (const source of sources) answers.push(await source.ask(address, new AbortController().signal))
  for (const { sizeMaxBytes, httpsOnly, emptyWhenAbsent } of asked)
    assert.deepEqual([sizeMaxBytes, httpsOnly, emptyWhenAbsent], [KEYS_MAX_BYTES, true, true])
  return {
    names,
    urls: asked.map(({ url }) => url),
    answers,
    sources: sources.map(({ name, trust }) => `${name} ${trust}`),
  }
}

describe('the Web Key Directory', () => {
  const cases: readonly [host: HostState, urls: string[], why: string][] = [
    ['there', [ADVANCED], 'the advanced method'],
    ['missing', [DIRECT], 'the direct one, where the host of the other does not exist'],
    ['unknown', [], 'neither, where nobody knows whether it exists'],
  ]
  for (const [host, urls, why] of cases)
    test(why, async () => {
      const asked = await ask({ ...NOBODY, wkd: true }, host)
      assert.deepEqual(asked.urls, urls)
      assert.equal(asked.answers[0]?.ok, host !== 'unknown')
    })

  test('a failure of the advanced method is no reason to try the direct one', async () => {
    const asked = await ask({ ...NOBODY, wkd: true }, 'there', 'Joe.Doe@example.org', true)
    assert.deepEqual(asked.urls, [ADVANCED])
  })

  test('an address literal has none', async () => {
    const asked = await ask({ ...NOBODY, wkd: true }, 'there', 'joe@[192.0.2.1]')
    assert.deepEqual([asked.urls, asked.answers], [[], [ok(new Uint8Array(0))]])
  })
})

test('all sources, in their order', async () => {
  const asked = await ask(
    { dns: true, wkd: true, vks: ['https://keys.example'], hkp: ['https://pool.example:11371'] },
    'missing',
    'a+b@example.org',
    false,
    { kind: 'none', secure: true },
  )
  assert.deepEqual(asked.sources, ['dns found', 'wkd found', 'vks found', 'hkp candidate'])
  assert.deepEqual(asked.urls.slice(1), [
    'https://keys.example/vks/v1/by-email/a%2Bb%40example.org',
    'https://pool.example:11371/pks/lookup?op=get&options=mr&exact=on&search=a%2Bb%40example.org',
  ])
})

describe('a record in the DNS', () => {
  const KEY = Uint8Array.of(1, 2)
  const cases: readonly [answer: object, bytes: readonly number[] | undefined, why: string][] = [
    [{ kind: 'records', records: [KEY, KEY], secure: true }, [1, 2, 1, 2], 'validated'],
    [{ kind: 'records', records: [KEY], secure: false }, [], "not validated: anybody's word"],
    [{ kind: 'none', secure: true }, [], 'none'],
    [{ kind: 'no-domain', secure: false }, [], 'no such name'],
    [{ kind: 'trouble', why: 'SERVFAIL' }, undefined, 'nobody could say'],
  ]
  for (const [answer, bytes, why] of cases)
    test(why, async () => {
      const asked = await ask({ ...NOBODY, dns: true }, 'there', 'hugh@example.com', false, answer)
      const [given] = asked.answers
      assert.deepEqual(given?.ok === true ? [...given.value] : undefined, bytes)
      // the example of RFC 7929
      assert.deepEqual(asked.names, [
        'c93f1e400f26708f98cb19d936620da35eec8f72e57f9eec01c1afd6._openpgpkey.example.com',
      ])
    })
})
