import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noteChange } from '../store/changes.ts'
import { openSqliteStore } from '../store/conformance/fixture.ts'
import { openStore } from '../store/database.ts'
import { ChangeCache } from './change-cache.ts'

test('loads once until something changes, in this process or another', async (t) => {
  const { store, dir, masterKey, clock } = await openSqliteStore(t)
  await using other = await openStore({ dir, masterKey, clock })
  let loads = 0
  const load = async (key: string) => `${key}${++loads}`
  const cache = new ChangeCache({ changes: store.changes, noun: 'anchors', entriesMax: 10, load })
  assert.deepEqual(await Promise.all([cache.get('a'), cache.get('a'), cache.get('b')]), ['a1', 'a1', 'b2'])
  await store.commit((tx) => noteChange(tx, 'accounts'))
  assert.equal(await cache.get('a'), 'a1')
  await store.commit((tx) => noteChange(tx, 'anchors'))
  assert.equal(await cache.get('a'), 'a3')
  await other.commit((tx) => noteChange(tx, 'anchors'))
  assert.equal(await cache.get('a'), 'a4')
})

test('keeps no more than it may, the one used longest ago goes', async (t) => {
  const { store } = await openSqliteStore(t)
  const loaded: string[] = []
  const load = async (key: string) => loaded.push(key)
  const cache = new ChangeCache({ changes: store.changes, noun: 'anchors', entriesMax: 2, load })
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) await cache.get(key)
  assert.deepEqual(loaded, ['a', 'b', 'c', 'b'])
})

test('a failed load is tried again', async (t) => {
  const { store } = await openSqliteStore(t)
  let tries = 0
  const load = async () => {
    if (++tries === 1) throw new Error('disk')
    return tries
  }
  const cache = new ChangeCache({ changes: store.changes, noun: 'anchors', entriesMax: 2, load })
  await assert.rejects(cache.get('a'), /disk/)
  assert.equal(await cache.get('a'), 2)
})
