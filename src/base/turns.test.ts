import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turns } from './turns.ts'

test('so many run, so many wait in order, the next is turned away, and a failure gives its place on', async () => {
  const turns = new Turns({ runningMax: 1, waitingMax: 2 })
  const order: string[] = []
  const gate = Promise.withResolvers<void>()
  const tooMany = (): Error => new Error('too many')
  const first = turns.run(async () => {
    await gate.promise
    order.push('first')
    throw new Error('broken')
  }, tooMany)
  const others = ['second', 'third'].map((name) => turns.run(async () => void order.push(name), tooMany))
  await assert.rejects(
    turns.run(async () => undefined, tooMany),
    /too many/,
  )
  gate.resolve()
  await assert.rejects(first, /broken/)
  await Promise.all(others)
  assert.deepEqual(order, ['first', 'second', 'third'])
  assert.equal(await turns.run(async () => 'free again', tooMany), 'free again')
})
