import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Changes } from './changes.ts'
import { openSqliteStore } from './conformance/fixture.ts'
import type { Dialect } from './dialect/dialect.ts'

test("changes: others' commits are looked up once for each callback of the event loop", async (t) => {
  const { store } = await openSqliteStore(t)
  let looked = 0
  const dialect = { reader: store.db, othersMark: () => ++looked } as Partial<Dialect> as Dialect
  const changes = new Changes(dialect)
  await changes.of('accounts')
  await Promise.all([changes.of('accounts'), changes.of('anchors')])
  assert.equal(looked, 1)
  await nextTurn()
  await changes.of('accounts')
  assert.equal(looked, 2)
})
