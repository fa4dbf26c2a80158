import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseAddress } from '../message/address.ts'
import { type WkdRequest, WKD_TARGET_MAX_CHARS, readWkdRequest, wkdHash, wkdPlaces } from './wkd.ts'

const JOE = 'iy9q119eutrkn8s1mk4r39qejnbu3n5q'

test('the example of the draft: Joe.Doe@Example.ORG', () => {
  const address = parseAddress('Joe.Doe@Example.ORG')
  assert(address !== undefined)
  assert.deepEqual(wkdPlaces(address), {
    advanced: {
      host: 'openpgpkey.example.org',
      url: `https://openpgpkey.example.org/.well-known/openpgpkey/example.org/hu/${JOE}?l=Joe.Doe`,
    },
    direct: { url: `https://example.org/.well-known/openpgpkey/hu/${JOE}?l=Joe.Doe` },
  })
})

describe('the hash of a local part', () => {
  const cases: readonly [local: string, hash: string, why: string][] = [
    ['bernhard.reiter', 'it5sewh54rxz33fwmr8u6dy4bbz8itz4', 'the example of wiki.gnupg.org/WKD'],
    ['test-wkd', '4hg7tescnttreaouu4z1izeuuyibwww1', 'the example of metacode.biz'],
    ['TEST-wkd', '4hg7tescnttreaouu4z1izeuuyibwww1', 'capital letters are small ones'],
  ]
  for (const [local, hash, why] of cases) test(why, () => assert.equal(wkdHash(local), hash))

  test('capital letters beyond ASCII stay', () => assert.notEqual(wkdHash('JÖRG'), wkdHash('jörg')))
})

test('what a local part has that a URL must not', () => {
  const address = parseAddress('a+b/c?d#e@example.org')
  assert(address !== undefined)
  assert.match(wkdPlaces(address)?.direct.url ?? '', /\?l=a%2Bb%2Fc%3Fd%23e$/)
})

test('an address literal has no directory', () => {
  const address = parseAddress('joe@[192.0.2.1]')
  assert(address !== undefined)
  assert.equal(wkdPlaces(address), undefined)
})

describe('a request', () => {
  const key = { kind: 'key', domain: 'example.org', hash: JOE } as const
  const cases: readonly [host: string, target: string, asks: unknown, why: string][] = [
    ['openpgpkey.example.org', `/.well-known/openpgpkey/example.org/hu/${JOE}`, key, 'advanced'],
    ['OpenPGPkey.Example.ORG', `/.well-known/openpgpkey/Example.ORG/hu/${JOE}`, key, 'case of the host'],
    ['example.org', `/.well-known/openpgpkey/hu/${JOE}`, key, 'direct'],
    ['example.org', `/.well-known/openpgpkey/hu/${JOE}?l=Joe%2EDoe`, { ...key, localPart: 'Joe.Doe' }, 'with a name'],
    ['example.org', `/.well-known/openpgpkey/policy`, { kind: 'policy', domain: 'example.org' }, 'direct policy'],
    [
      'openpgpkey.example.org',
      '/.well-known/openpgpkey/example.org/policy',
      { kind: 'policy', domain: 'example.org' },
      'advanced policy',
    ],
    ['openpgpkey.example.org', `/.well-known/openpgpkey/hu/${JOE}`, undefined, 'the direct path at the advanced host'],
    ['openpgpkey.example.org', `/.well-known/openpgpkey/example.net/hu/${JOE}`, undefined, "another domain's keys"],
    ['example.org', `/.well-known/openpgpkey/example.org/hu/${JOE}`, undefined, 'the advanced path elsewhere'],
    ['example.org', `/.well-known/openpgpkey/hu/${JOE}/`, undefined, 'more after the hash'],
    ['example.org', `/.well-known/openpgpkey/hu/${JOE.toUpperCase()}`, undefined, 'no hash'],
    ['example.org', `/.well-known/openpgpkey/hu/`, undefined, 'no listing'],
    ['example.org', `/.well-known/openpgpkey/`, undefined, 'no listing above either'],
    ['example.org', `/.well-known/openpgpkey/../openpgpkey/policy`, undefined, 'steps back'],
    ['example.org', `/.well-known/openpgpkey/submission-address`, undefined, 'the update protocol is not offered'],
    ['', `/.well-known/openpgpkey/policy`, undefined, 'no host'],
    ['[::1]', `/.well-known/openpgpkey/policy`, undefined, 'an address for a host'],
    ['example.org', `/.well-known/openpgpkey/hu/${JOE}?l=${'x'.repeat(WKD_TARGET_MAX_CHARS)}`, undefined, 'too long'],
  ]
  for (const [host, target, asks, why] of cases)
    test(why, () => assert.deepEqual(readWkdRequest(host, target), asks as WkdRequest | undefined))
})
