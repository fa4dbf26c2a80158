import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type TestContext, describe, test } from 'node:test'
import { type Result, fail, ok } from '../base/result.ts'
import type { Address } from '../message/address.ts'
import { parseCertificate } from '../protection/smime/x509/certificate.ts'
import type { Certificate, TrustLevel } from '../protection/standard.ts'
import { START_MS, address, openSqliteStore } from '../store/conformance/fixture.ts'
import { createAuthority, generateKey, issueMailCertificate } from './certificate-authority.ts'
import { ABSENT_KEPT_MS, KeyFinder, type KeyFinderOptions, REFRESH_MS } from './find.ts'
import type { KeySource } from './key-sources.ts'
import { type CertificateSource, PublicKeys } from './public-keys.ts'

const BOB = address('bob@bank.example')
const DAY_MS = 24 * 60 * 60_000
const NOTHING = new Uint8Array(0)
const authority = await createAuthority({ domain: 'bank.example', nowMs: START_MS })
const [key, other] = [await issue(30), await issue(40)]

/** An X.509 certificate stands for whatever a source may have. */
async function issue(validityDays: number): Promise<Certificate> {
  const { publicKey } = await generateKey('ec-p256')
  const parsed = parseCertificate(
    await issueMailCertificate(authority, { address: BOB, publicKey, nowMs: START_MS, validityDays }),
  )
  assert(parsed.ok)
  return parsed.value
}

type Answers = (asked: number, signal: AbortSignal) => Promise<Result<Uint8Array>> | Result<Uint8Array>

const WAIT_MS = 200

async function setUp(t: TestContext, answers: Readonly<Record<string, Answers>>) {
  const { store } = await openSqliteStore(t)
  const publicKeys = new PublicKeys(store)
  const clock = { atMs: START_MS, nowMs: () => clock.atMs }
  const asked: string[] = []
  const told: string[] = []
  const sources = Object.entries(answers).map(([name, answer]): KeySource => ({
    name: name as KeySource['name'],
    standard: 'smime',
    trust: name === 'hkp' ? 'candidate' : 'found',
    ask: async (_address, signal) => answer(asked.push(name), signal),
    read: (bytes) => [key, other].filter(({ encoded }) => Buffer.from(encoded).equals(bytes)),
  }))
  const options: KeyFinderOptions = {
    store,
    clock,
    publicKeys,
    sources,
    isOwnDomain: (domain) => domain === 'ours.example',
    waitMs: WAIT_MS,
    prepareAlarm:
      async ({ fingerprint }) =>
      async () =>
        void told.push(fingerprint),
  }
  const finder = new KeyFinder(options)
  t.after(() => finder.close())
  return {
    finder,
    clock,
    asked,
    told,
    known: async (who: Address = BOB) =>
      (await publicKeys.known(who)).map(({ certificate, trust, source }) => [certificate.fingerprint, trust, source]),
    add: (certificate: Certificate, trust: TrustLevel, source: CertificateSource) =>
      store.commit((tx) => publicKeys.add(tx, { address: BOB, certificate, trust, source, nowMs: clock.atMs })),
  }
}

const has =
  (certificate: Certificate): Answers =>
  () =>
    ok(certificate.encoded)
const absent: Answers = () => ok(NOTHING)
const broken: Answers = () => fail('the server answered 500')

describe('the way to a key', () => {
  const FOUND = (name: string, certificate = key): unknown[] => [certificate.fingerprint, 'found', name]
  const cases: readonly [answers: Record<string, Answers>, asked: string[], known: unknown[][], why: string][] = [
    [{ wkd: has(key), vks: has(other) }, ['wkd'], [FOUND('wkd')], 'the first that has one'],
    [{ wkd: absent, vks: has(key) }, ['wkd', 'vks'], [FOUND('vks')], 'the next, where there is none'],
    [{ wkd: broken, vks: has(key) }, ['wkd', 'vks'], [FOUND('vks')], 'the next, after a failure'],
    [{ wkd: absent, vks: absent }, ['wkd', 'vks'], [], 'nobody has one'],
    [{ hkp: has(key) }, ['hkp'], [[key.fingerprint, 'candidate', 'hkp']], 'a candidate only'],
  ]
  for (const [answers, asked, known, why] of cases)
    test(why, async (t) => {
      const set = await setUp(t, answers)
      await set.finder.prepare(BOB, START_MS)
      assert.deepEqual(set.asked, asked)
      assert.deepEqual(await set.known(), known)
      await set.finder.prepare(BOB, START_MS)
      assert.deepEqual(set.asked, asked, 'nobody is asked again at once')
    })
})

describe('whom nobody is asked about', () => {
  const cases: readonly [trust: TrustLevel, source: CertificateSource, asked: string[]][] = [
    ['confirmed', 'admin', []],
    ['chained', 'harvested', []],
    ['found', 'vks', []],
    ['candidate', 'harvested', ['wkd']],
  ]
  for (const [trust, source, asked] of cases)
    test(`${asked.length === 0 ? '' : 'not '}somebody with a key that is ${trust}`, async (t) => {
      const set = await setUp(t, { wkd: absent })
      await set.add(key, trust, source)
      await set.finder.prepare(BOB, START_MS + 1)
      assert.deepEqual(set.asked, asked)
    })

  test('our own users', async (t) => {
    const set = await setUp(t, { wkd: absent })
    await set.finder.prepare(address('user@ours.example'), START_MS)
    assert.equal(await set.finder.learn(address('user@ours.example')), false)
    assert.deepEqual(set.asked, [])
  })
})

test('a key that has expired, or was not seen for long, is looked up before it is used', async (t) => {
  const set = await setUp(t, { wkd: has(key), vks: has(other) })
  await set.add(key, 'found', 'wkd')
  await set.finder.prepare(BOB, (set.clock.atMs += REFRESH_MS))
  assert.deepEqual(set.asked, [])
  await set.finder.prepare(BOB, (set.clock.atMs += 1))
  assert.deepEqual(set.asked, ['wkd'])
  await set.finder.prepare(BOB, (set.clock.atMs += 1))
  assert.deepEqual(set.asked, ['wkd'], 'it was seen just now')
  await set.finder.prepare(BOB, (set.clock.atMs = START_MS + 31 * DAY_MS))
  assert.deepEqual(set.asked, ['wkd', 'wkd', 'vks'], 'the domain still has the one that has expired')
  assert.deepEqual((await set.known()).map(([fingerprint]) => fingerprint).length, 2)
  assert.deepEqual(set.told, [])
})

test('a key that a server has beside the one that the domain had is held, and somebody is told', async (t) => {
  const set = await setUp(t, { wkd: absent, vks: has(other) })
  await set.add(key, 'found', 'wkd')
  await set.finder.prepare(BOB, (set.clock.atMs += REFRESH_MS + 1))
  assert.deepEqual(set.asked, ['wkd', 'vks'])
  assert.deepEqual(set.told, [other.fingerprint])
})

test('that there is no key is believed for an hour; a failure is tried again after a minute, then later', async (t) => {
  const set = await setUp(t, { wkd: absent })
  const failing = await setUp(t, { wkd: broken })
  for (const { clock, finder } of [set, failing])
    for (const laterMs of [0, 59_000, 2_000, 60_000, 61_000]) await finder.prepare(BOB, (clock.atMs += laterMs))
  assert.equal(set.asked.length, 1)
  assert.equal(failing.asked.length, 3)
  await set.finder.prepare(BOB, (set.clock.atMs = START_MS + ABSENT_KEPT_MS))
  assert.equal(set.asked.length, 2)
})

test(
  'the mail waits no longer than it may; what comes later is there for the next one',
  { timeout: 60_000 },
  async (t) => {
    const { promise, resolve } = Promise.withResolvers<Result<Uint8Array>>()
    const set = await setUp(t, { wkd: () => promise })
    await Promise.all([set.finder.prepare(BOB, START_MS), set.finder.prepare(BOB, START_MS)])
    assert.deepEqual([set.asked, await set.known()], [['wkd'], []], 'two who wait for the same are one look-up')
    resolve(ok(key.encoded))
    while ((await set.known()).length === 0) await sleep(5)
  },
)

test('for an unknown signer: whether more is known now', async (t) => {
  const set = await setUp(t, { wkd: has(key) })
  assert.equal(await set.finder.learn(BOB), true)
  assert.equal(await set.finder.learn(BOB), false)
  assert.deepEqual(set.asked, ['wkd'])
})
