/** What was fetched is kept as long as it says, and no longer than we believe it; what failed is left alone for a while. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { type Result, fail, ok } from '../../src/base/result.ts'
import type { FetchRequest } from '../../src/keys/http-fetch.ts'
import { KEPT_MAX_MS } from '../../src/keys/validation-items.ts'
import { ValidationSource } from '../../src/keys/validation-source.ts'
import type { StatusWish } from '../../src/protection/standard.ts'
import { openSqliteStore } from '../../src/store/conformance/fixture.ts'
import { makeOcspResponse } from '../support/ocsp-maker.ts'
import { DAY_MS, makeAuthority, makeCertificate, makeCrl } from '../support/x509-maker.ts'

const MINUTE_MS = 60_000
const root = makeAuthority({ name: 'root' })
const user = makeCertificate({ name: 'user', issuer: root, serial: 7 })
const wish: StatusWish = {
  kind: 'status',
  certificate: user.certificate.encoded,
  issuer: root.certificate.encoded,
  ocsp: [],
  crls: ['http://crl.example/1.crl'],
}
const byOcsp: StatusWish = { ...wish, ocsp: ['http://ocsp.example/'], crls: [] }

async function open(t: TestContext, answer: (request: FetchRequest, nowMs: number) => Result<Uint8Array>) {
  const { store, clock } = await openSqliteStore(t)
  const asked: string[] = []
  const make = (): ValidationSource =>
    new ValidationSource({
      store,
      clock,
      budgetMs: 1000,
      fetchIssuers: false,
      fetch: (request) => {
        asked.push(request.url)
        return Promise.resolve(answer(request, clock.now))
      },
    })
  return { make, asked, clock }
}

const aList = (nowMs: number): Result<Uint8Array> =>
  ok(makeCrl(root, { thisUpdateMs: nowMs - DAY_MS, nextUpdateMs: nowMs + 30 * DAY_MS }))

test('a list is fetched once for all who ask, kept over a restart, and asked for again after half a day', async (t) => {
  const { make, asked, clock } = await open(t, (_request, nowMs) => aList(nowMs))
  const source = make()
  const found = await Promise.all([source, source].map((each) => each.startWaiting().gather([wish, wish])))
  for (const { crls } of found) assert.equal(crls.length, 1)
  assert.equal(asked.length, 1)
  await new Promise((resolve) => setTimeout(resolve, 50)) // the commit
  assert.equal((await make().startWaiting().gather([wish])).crls.length, 1)
  assert.equal(asked.length, 1)
  clock.now += KEPT_MAX_MS + 1
  assert.equal((await source.startWaiting().gather([wish])).crls.length, 1)
  assert.equal(asked.length, 2)
})

test('what failed is tried again after a minute, then after two', async (t) => {
  const { make, asked, clock } = await open(t, () => fail('no'))
  const source = make()
  const askAfter = async (ms: number): Promise<number> => {
    clock.now += ms
    await source.startWaiting().gather([wish])
    return asked.length
  }
  assert.deepEqual(
    [
      await askAfter(0),
      await askAfter(MINUTE_MS - 1),
      await askAfter(1),
      await askAfter(MINUTE_MS),
      await askAfter(MINUTE_MS),
    ],
    [1, 1, 2, 2, 3],
  )
})

test('what did not help is neither used nor asked for again for ten minutes', async (t) => {
  const { make, asked, clock } = await open(t, (_request, nowMs) => aList(nowMs))
  const source = make()
  await source.startWaiting().gather([wish])
  source.doubt([wish])
  assert.equal((await source.startWaiting().gather([wish])).crls.length, 0)
  clock.now += 10 * MINUTE_MS
  assert.equal((await source.startWaiting().gather([wish])).crls.length, 1)
  assert.equal(asked.length, 2)
})

test('an OCSP response counts only when it answers our question', async (t) => {
  const about = { about: user, issuer: root }
  const other = makeCertificate({ name: 'other', issuer: root, serial: 8 })
  const cases: readonly [response: (nowMs: number) => Uint8Array, count: number][] = [
    [(nowMs) => makeOcspResponse({ ...about, thisUpdateMs: nowMs, nextUpdateMs: nowMs + DAY_MS }), 1],
    [(nowMs) => makeOcspResponse({ ...about, nextUpdateMs: nowMs + DAY_MS, nonce: new Uint8Array(32) }), 0],
    [(nowMs) => makeOcspResponse({ ...about, about: other, nextUpdateMs: nowMs + DAY_MS }), 0],
    [(nowMs) => makeOcspResponse({ ...about, unknown: true, nextUpdateMs: nowMs + DAY_MS }), 0],
    [(nowMs) => makeOcspResponse({ ...about, nextUpdateMs: nowMs - DAY_MS }), 0],
    [() => Uint8Array.of(1, 2, 3), 0],
  ]
  for (const [response, count] of cases) {
    const { make } = await open(t, (_request, nowMs) => ok(response(nowMs)))
    assert.equal((await make().startWaiting().gather([byOcsp])).ocspResponses.length, count)
  }
})

test('issuers are fetched only where that is allowed', async (t) => {
  const { make, asked } = await open(t, () => ok(root.certificate.encoded))
  assert.deepEqual(
    (
      await make()
        .startWaiting()
        .gather([{ kind: 'issuer', urls: ['http://ca.example/'] }])
    ).certificates,
    [],
  )
  assert.deepEqual(asked, [])
})
