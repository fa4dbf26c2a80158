/** What every database must do with what is known of correspondents' programs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { abilitiesOf, forgetAbilities, keepAbilities, listAbilities } from '../abilities.ts'
import { address, START_MS, type Open, type Opened } from './fixture.ts'

const BOB = address('Bob@abc.com')

const keep = (
  { store }: Opened,
  signedMs: number,
  facts: Parameters<typeof keepAbilities>[1]['facts'],
  of = BOB,
): Promise<boolean> =>
  store.commit((tx) => keepAbilities(tx, { address: of, standard: 'smime', facts, signedMs, nowMs: START_MS }))

const valuesOf = async ({ store }: Opened): Promise<Record<string, unknown>> =>
  Object.fromEntries((await abilitiesOf(store.db, address('bob@ABC.com'))).map(({ fact, value }) => [fact, value]))

export function abilitiesSuite(open: Open): void {
  test('abilities: what was signed last counts, each fact for itself', async (t) => {
    const opened = await open(t)
    assert.equal(await keep(opened, 20, { states: { ciphers: ['a'] }, 'outer-signature': true }), true)
    assert.equal(await keep(opened, 10, { states: { ciphers: ['b'] }, cipher: 'old' }), true, 'only the cipher is new')
    assert.equal(await keep(opened, 20, { states: { ciphers: ['b'] } }), false, 'at the same time: the first stays')
    assert.deepEqual(await valuesOf(opened), { states: { ciphers: ['a'] }, 'outer-signature': true, cipher: 'old' })
    assert.equal(await keep(opened, 30, { states: { ciphers: ['c'] }, 'outer-signature': false }), true)
    assert.deepEqual(await valuesOf(opened), { states: { ciphers: ['c'] }, 'outer-signature': false, cipher: 'old' })
  })

  test('abilities: of what Autocrypt fields of one second say, the last counts', async (t) => {
    const opened = await open(t)
    assert.equal(await keep(opened, 20, { autocrypt: 'mutual' }), true)
    assert.equal(await keep(opened, 20, { autocrypt: 'nopreference' }), true)
    assert.equal(await keep(opened, 10, { autocrypt: 'mutual' }), false)
    assert.deepEqual(await valuesOf(opened), { autocrypt: 'nopreference' })
  })

  test('abilities: shown again they are as new, and no cache forgets for it', async (t) => {
    const opened = await open(t)
    await keep(opened, 10, { cipher: 'x' })
    const before = await opened.store.changes.of('abilities')
    assert.equal(await keep(opened, 30, { cipher: 'x' }), false)
    assert.equal(await opened.store.changes.of('abilities'), before)
    assert.equal(await keep(opened, 20, { cipher: 'y' }), false, 'older than when x was shown again')
    assert.equal(await keep(opened, 40, { cipher: 'y' }), true)
    assert.equal(await opened.store.changes.of('abilities'), before + 1)
    assert.equal(await keep(opened, 50, {}), false)
  })

  test('abilities: listed, and forgotten for one address', async (t) => {
    const opened = await open(t)
    const { store } = opened
    await keep(opened, 10, { cipher: 'x' })
    await keep(opened, 10, { cipher: 'z' }, address('alice@abc.com'))
    assert.deepEqual(
      (await listAbilities(store.db)).map((row) => [row.address, row.value, row.signedMs, row.learnedMs]),
      [
        ['alice@abc.com', 'z', 10, START_MS],
        [BOB, 'x', 10, START_MS],
      ],
    )
    assert.equal(await store.commit((tx) => forgetAbilities(tx, BOB)), 1)
    assert.equal(await store.commit((tx) => forgetAbilities(tx, BOB)), 0)
    assert.equal((await listAbilities(store.db)).length, 1)
  })
}
