import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fromLatin1, latin1 } from '../base/bytes.ts'
import { parseAddress, parseDomain } from '../message/address.ts'
import { type DirectoryDeps, answerOf } from './directory.ts'

const JOE = 'iy9q119eutrkn8s1mk4r39qejnbu3n5q'
const TEST = '4hg7tescnttreaouu4z1izeuuyibwww1'
const PATH = '/.well-known/openpgpkey'
const OURS = [parseDomain('example.org'), parseDomain('example.net')].filter((domain) => domain !== undefined)

/** joe.doe has a key, test-wkd has none. */
const deps: DirectoryDeps = {
  domains: OURS,
  userNamed: async (domain, hash) =>
    domain === 'example.org'
      ? parseAddress({ [JOE]: 'joe.doe@example.org', [TEST]: 'test-wkd@example.org' }[hash] ?? '')
      : undefined,
  publicKeysOf: async (address) => fromLatin1(address.startsWith('joe') ? 'KEYS' : ''),
  armor: (keys) => fromLatin1(`armored ${latin1(keys)}`),
}

describe('the directory', () => {
  const cases: readonly [host: string, target: string, answer: string, why: string][] = [
    ['openpgpkey.example.org', `${PATH}/example.org/hu/${JOE}?l=joe.doe`, '200 KEYS', 'the advanced method'],
    ['example.org', `${PATH}/hu/${JOE}?l=Joe.Doe`, '200 KEYS', 'the direct method'],
    ['example.org:8443', `${PATH}/hu/${JOE}`, '200 KEYS', 'a port, and no name'],
    ['example.org', `${PATH}/policy`, '200 ', 'the policy file'],
    ['openpgpkey.example.net', `${PATH}/example.net/policy`, '200 ', 'of another domain of ours'],
    ['openpgpkey.example.org', `${PATH}/example.org/hu/${JOE}?l=jane`, '404', 'a name that is not of this hash'],
    ['example.org', `${PATH}/hu/${TEST}?l=test-wkd`, '404', 'a user without a key'],
    ['example.net', `${PATH}/hu/${JOE}?l=joe.doe`, '404', 'nobody'],
    ['example.com', `${PATH}/policy`, '404', 'not our domain'],
    ['openpgpkey.example.com', `${PATH}/example.org/hu/${JOE}`, '404', "our domain at somebody else's host"],
    ['example.org', '/', '404', 'anything else'],
    ['example.org', `${PATH}/hu/`, '404', 'a listing'],
  ]
  for (const [host, target, answer, why] of cases)
    test(why, async () => {
      const { status, headers, body } = await answerOf(deps, { method: 'GET', host, target, accept: '*/*' })
      assert.equal(`${status}${status === 200 ? ` ${latin1(body)}` : ''}`, answer)
      assert.equal(headers['access-control-allow-origin'], '*')
    })

  test('who exists is not told: all refusals are alike', async () => {
    const refusals = cases
      .filter(([, , answer]) => answer === '404')
      .map(([host, target]) => answerOf(deps, { method: 'GET', host, target, accept: '*/*' }))
    const [first, ...others] = await Promise.all(refusals)
    for (const other of others) assert.deepEqual(other, first)
  })

  test('nothing is changed here', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'CONNECT'])
      assert.equal(
        (await answerOf(deps, { method, host: 'example.org', target: `${PATH}/policy`, accept: '*/*' })).status,
        405,
      )
  })
})

describe('the form of the keys', () => {
  const cases: readonly [accept: string, type: string, why: string][] = [
    ['*/*', 'application/octet-stream', 'whatever there is'],
    ['', 'application/octet-stream', 'nothing said'],
    ['application/octet-stream', 'application/octet-stream', "the directory's own"],
    ['application/pgp-keys, */*;q=0.1', 'application/octet-stream', 'armor rather, but not only'],
    ['application/pgp-keys', 'application/pgp-keys', 'armor only'],
    ['text/html, application/pgp-keys;q=0.5', 'application/pgp-keys', 'armor, or what we do not have'],
    ['text/html', 'application/octet-stream', 'only what we do not have'],
  ]
  for (const [accept, type, why] of cases)
    test(why, async () => {
      const asked = { method: 'GET', host: 'example.org', target: `${PATH}/hu/${JOE}`, accept }
      const { headers, body } = await answerOf(deps, asked)
      assert.equal(headers['content-type'], type)
      assert.equal(latin1(body), type === 'application/pgp-keys' ? 'armored KEYS' : 'KEYS')
    })
})
