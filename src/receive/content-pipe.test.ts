import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ContentPipe, WAITING_MAX_BYTES } from './content-pipe.ts'

const bytes = (n: number): Uint8Array => new Uint8Array(n)

async function lengths(pipe: ContentPipe): Promise<number[]> {
  const seen: number[] = []
  for await (const chunk of pipe) seen.push(chunk.length)
  return seen
}

test('what is pushed is read, in order, to the end', async () => {
  const pipe = new ContentPipe()
  let room = 0
  pipe.push(bytes(1), () => room++)
  const reading = lengths(pipe)
  await turn()
  pipe.push(bytes(2), () => room++)
  pipe.push(bytes(3), () => room++)
  pipe.end()
  assert.deepEqual(await reading, [1, 2, 3])
  assert.equal(room, 3)
  assert.equal(pipe.readToEnd, true)
})

test('the writer waits for the reader when too much waits', async () => {
  const pipe = new ContentPipe()
  let room = 0
  pipe.push(bytes(WAITING_MAX_BYTES), () => room++)
  assert.equal(room, 0)
  const reading = lengths(pipe)
  await turn()
  assert.equal(room, 1)
  pipe.end()
  await reading
})

test('a failure drops what waits, wakes the reader and frees the writer', async () => {
  const pipe = new ContentPipe()
  let room = 0
  pipe.push(bytes(WAITING_MAX_BYTES), () => room++)
  pipe.fail(new Error('gone'))
  assert.equal(room, 1)
  await assert.rejects(lengths(pipe), /gone/)
  assert.equal(pipe.readToEnd, false)
  const later = new ContentPipe()
  const reading = assert.rejects(lengths(later), /gone/)
  await turn()
  later.fail(new Error('gone'))
  await reading
})

test('a reader that leaves frees the writer, then and later', async () => {
  const pipe = new ContentPipe()
  let room = 0
  pipe.push(bytes(1), () => room++)
  pipe.push(bytes(WAITING_MAX_BYTES), () => room++)
  for await (const chunk of pipe) {
    assert.equal(chunk.length, 1)
    break
  }
  assert.equal(room, 2)
  pipe.push(bytes(WAITING_MAX_BYTES), () => room++)
  pipe.end()
  assert.equal(room, 3)
  assert.equal(pipe.readToEnd, false)
})
