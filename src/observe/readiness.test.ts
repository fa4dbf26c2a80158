import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { clockCheck, folderCheck, queueCheck, resolverCheck, roomCheck } from './checks.ts'
import { type Check, Readiness } from './readiness.ts'

function watch(t: TestContext, checks: readonly Check[], options: { timeoutMs?: number; freshMs?: number } = {}) {
  const said: string[] = []
  const readiness = new Readiness({
    checks,
    failed: (check, why) => said.push(`${check}: ${why}`),
    works: (check) => said.push(`${check} works`),
    freshMs: 0,
    ...options,
  })
  t.after(() => readiness.stop())
  return { readiness, said }
}

test('a failure is said when it begins and when it ends, however often somebody asks', async (t) => {
  let why: string | undefined
  const { readiness, said } = watch(t, [{ name: 'disk', run: async () => why }])
  await readiness.look()
  why = 'full'
  for (let asked = 0; asked < 3; asked++)
    assert.deepEqual(
      (await readiness.look()).map(({ ok, why: reason }) => [ok, reason]),
      [[false, 'full']],
    )
  why = undefined
  for (let asked = 0; asked < 3; asked++) assert.equal((await readiness.look())[0]?.ok, true)
  assert.deepEqual(said, ['disk: full', 'disk works'])
})

test('a check that rejects says why', async (t) => {
  const { readiness } = watch(t, [{ name: 'disk', run: () => Promise.reject(new Error('EIO')) }])
  assert.equal((await readiness.look())[0]?.why, 'EIO')
})

test('a check that does not come back is not begun again, and keeps nobody waiting', async (t) => {
  let begun = 0
  const hanging = Promise.withResolvers<undefined>()
  const run = (): Promise<undefined> => (begun++, hanging.promise)
  const { readiness } = watch(t, [{ name: 'database', run }], { timeoutMs: 20 })
  for (let asked = 0; asked < 3; asked++) assert.match((await readiness.look())[0]?.why ?? '', /^no answer within/)
  assert.equal(begun, 1)
  hanging.resolve(undefined)
  assert.equal((await readiness.look())[0]?.ok, true)
  assert.equal((await readiness.look())[0]?.ok, true)
  assert.equal(begun, 2)
})

test('an answer is given again for a moment: asking in a loop costs nothing', async (t) => {
  let begun = 0
  const { readiness } = watch(t, [{ name: 'x', run: async () => void begun++ }], { freshMs: 50 })
  for (let asked = 0; asked < 10; asked++) await readiness.look()
  assert.equal(begun, 1)
  await wait(60)
  await readiness.look()
  assert.equal(begun, 2)
})

test('what has a line of its own in the log is not said twice', async (t) => {
  let short: string | undefined = 'disk'
  const { readiness, said } = watch(t, [roomCheck(() => short)])
  assert.equal((await readiness.look())[0]?.why, 'no room for more mail: disk')
  short = undefined
  assert.equal((await readiness.look())[0]?.ok, true)
  assert.deepEqual(said, [])
})

test('a clock that is set is told for a minute; one that drifts is not', async () => {
  let wallMs = 1e12
  let steadyMs = 0
  const check = clockCheck(
    () => wallMs,
    () => steadyMs,
  )
  const pass = (forMs: number, stepMs = 0): void => {
    steadyMs += forMs
    wallMs += forMs + stepMs
  }
  for (const driftMs of [0, 900, -900]) {
    pass(15_000, driftMs)
    assert.equal(await check.run(), undefined)
  }
  pass(15_000, 3_600_000)
  assert.equal(await check.run(), 'the clock was set forward by 3600 s')
  pass(45_000)
  assert.match((await check.run()) ?? '', /forward/)
  pass(16_000)
  assert.equal(await check.run(), undefined)
  pass(15_000, -7_200_000)
  assert.equal(await check.run(), 'the clock was set back by 7200 s')
})

test('what checks say', async () => {
  const ask = (kind: 'none' | 'trouble') => async () =>
    kind === 'none' ? { kind, secure: false } : { kind, why: 'the name server does not answer' }
  assert.equal(await resolverCheck(ask('none'), 'abc.com').run(), undefined)
  assert.equal(await resolverCheck(ask('trouble'), 'abc.com').run(), 'the name server does not answer')
  assert.equal(await queueCheck(() => 29_000, 30_000).run(), undefined)
  assert.match((await queueCheck(() => 31_000, 30_000).run()) ?? '', /31 s/)
  await assert.rejects(folderCheck(fileURLToPath(import.meta.url)).run(), /ENOTDIR/)
})
