/** Message bytes: sealed, whole, damaged, swept. */
import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { BytesDamaged, BytesMissing, FRAME_BYTES, HEADER_BYTES, SEALED_FRAME_BYTES } from '../bytes/sealing.ts'
import { INLINE_MAX_BYTES, type FinishedBytes } from '../bytes/bytes-writer.ts'
import { enqueue, removeItems } from '../queue.ts'
import type { BytesId } from '../schema.ts'
import { queueItem, type Open, type Opened } from './fixture.ts'
import { eventually } from '../../../test/support/eventually.ts'

const SIZES = [0, 1, 5_000, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 2 * FRAME_BYTES, 9 * FRAME_BYTES + 7]

export function bytesSuite(open: Open): void {
  reading(open)
  damage(open)
  sweeping(open)
  dataKeys(open)
}

/** Writes in chunks of `chunkBytes` and gives the message a queue row, so that it is referred to. */
async function stored(opened: Opened, plain: Uint8Array, chunkBytes = plain.length): Promise<[BytesId, FinishedBytes]> {
  const { store } = opened
  await using writer = store.bytes.writer()
  for (let at = 0; at < plain.length; at += chunkBytes) await writer.write(plain.subarray(at, at + chunkBytes))
  const finished = await writer.finish()
  const id = await store.commit(async (tx) => {
    const bytesId = await store.bytes.insert(tx, finished)
    await enqueue(tx, [queueItem(bytesId, 'a@abc.com')])
    return bytesId
  })
  return [id, finished]
}

const nameOf = (finished: FinishedBytes): string => {
  assert.ok(finished.place.kind === 'file')
  return finished.place.file
}

function reading(open: Open): void {
  test('bytes: every size, in one chunk or many, comes back as it was', async (t) => {
    const opened = await open(t)
    for (const size of SIZES)
      for (const chunkBytes of [size, 1_000, FRAME_BYTES, FRAME_BYTES + 16]) {
        const plain = randomBytes(size)
        const [id, finished] = await stored(opened, plain, chunkBytes || 1)
        assert.ok(plain.equals(await opened.store.bytes.read(id)), `${size} in ${chunkBytes}`)
        assert.equal(finished.place.kind, size <= INLINE_MAX_BYTES ? 'inline' : 'file')
        assert.equal(await opened.store.bytes.sizeBytes(id), size)
      }
  })

  test('bytes: what was known last is read first, and counts', async (t) => {
    const opened = await open(t)
    for (const size of [10, FRAME_BYTES, 3 * FRAME_BYTES + 1]) {
      const plain = randomBytes(size)
      await using writer = opened.store.bytes.writer()
      await writer.write(plain)
      const finished = await writer.finish(Buffer.from('Front: yes'))
      const whole = Buffer.concat([Buffer.from('Front: yes'), plain])
      const early = Buffer.concat(await Array.fromAsync(opened.store.bytes.streamFinished(finished)))
      assert.ok(whole.equals(early))
      assert.ok(finished.place.kind === 'file' || whole.equals(finished.place.plain))
      const id = await opened.store.commit((tx) => opened.store.bytes.insert(tx, finished))
      assert.ok(whole.equals(await opened.store.bytes.read(id)))
      assert.equal(await opened.store.bytes.sizeBytes(id), whole.length)
    }
  })

  test('bytes: chunks of a stream are small, and it can be left in the middle', async (t) => {
    const opened = await open(t)
    const [id] = await stored(opened, randomBytes(10 * FRAME_BYTES + 1))
    let chunks = 0
    for await (const chunk of opened.store.bytes.stream(id)) {
      assert.ok(chunk.length <= FRAME_BYTES)
      chunks += 1
    }
    assert.equal(chunks, 11)
    for await (const chunk of opened.store.bytes.stream(id)) {
      assert.ok(chunk.length > 0)
      break
    }
  })

  test('bytes: nothing on the disk is in the clear', async (t) => {
    const opened = await open(t)
    const secret = Buffer.from('the plaintext of a mail that nobody but its reader may see ')
    await stored(opened, Buffer.alloc(200 * secret.length, secret))
    await stored(opened, Buffer.alloc(5_000 * secret.length, secret), 10_000)
    await opened.store.commit((tx) => tx.selectFrom('bytes').select('id').execute())
    const kept = await opened.atRest()
    assert.ok(kept.reduce((sum, bytes) => sum + bytes.length, 0) > 5_000 * secret.length)
    for (const bytes of kept) assert.equal(Buffer.from(bytes).indexOf(secret.subarray(0, 20)), -1)
  })

  test('bytes: aborted, or left by an exception, nothing remains', async (t) => {
    const opened = await open(t)
    const leave = async (): Promise<void> => {
      await using writer = opened.store.bytes.writer()
      await writer.write(randomBytes(20 * FRAME_BYTES))
      assert.equal((await opened.large.names()).length, 1)
      throw new Error('the client hung up')
    }
    await assert.rejects(leave, /hung up/)
    assert.deepEqual(await opened.large.names(), [])
    const writer = opened.store.bytes.writer()
    const writing = writer.write(randomBytes(5 * FRAME_BYTES))
    await writer.abort() // while the object is being made
    await writing
    assert.deepEqual(await opened.large.names(), [])
    assert.throws(() => writer.write(randomBytes(1)))
    const finished = await opened.store.bytes.seal(randomBytes(2 * FRAME_BYTES))
    await opened.store.bytes.discard(finished)
    assert.deepEqual(await opened.large.names(), [])
  })

  test('bytes: the file goes after the commit, and only if it was one', async (t) => {
    const opened = await open(t)
    const { store } = opened
    const [id, finished] = await stored(opened, randomBytes(2 * FRAME_BYTES))
    const rows = await store.db.selectFrom('queue').select('id').where('bytes_id', '=', id).execute()
    const ids = rows.map((row) => row.id)
    await assert.rejects(
      store.commit(async (tx) => {
        await removeItems(tx, ids)
        throw new Error('undone')
      }),
    )
    assert.equal((await store.bytes.read(id)).length, 2 * FRAME_BYTES)
    await store.commit((tx) => removeItems(tx, ids))
    await eventually(async () => assert.equal((await opened.large.names()).includes(nameOf(finished)), false))
    await assert.rejects(store.bytes.read(id), BytesMissing)
  })
}

function damage(open: Open): void {
  const cases: readonly [why: string, spoil: (sealed: Buffer) => Buffer][] = [
    ['one bit of the text', (sealed) => flip(sealed, HEADER_BYTES + 10)],
    ['one bit of the last tag', (sealed) => flip(sealed, sealed.length - 1)],
    ['the salt', (sealed) => flip(sealed, 10)],
    ['the version', (sealed) => flip(sealed, 0)],
    [
      'two frames swapped',
      (sealed) => {
        const [one, two] = [frame(sealed, 0), frame(sealed, 1)]
        return Buffer.concat([
          sealed.subarray(0, HEADER_BYTES),
          two,
          one,
          sealed.subarray(HEADER_BYTES + 2 * SEALED_FRAME_BYTES),
        ])
      },
    ],
    ['the last frame cut off', (sealed) => sealed.subarray(0, HEADER_BYTES + 2 * SEALED_FRAME_BYTES)],
    ['cut off within a frame', (sealed) => sealed.subarray(0, sealed.length - 5)],
    ['emptied', () => Buffer.alloc(0)],
  ]
  for (const [why, spoil] of cases)
    test(`bytes: damage is found: ${why}`, async (t) => {
      const opened = await open(t)
      const plain = randomBytes(2 * FRAME_BYTES + 100)
      const [id, finished] = await stored(opened, plain)
      const name = nameOf(finished)
      await opened.large.replace(name, spoil(await opened.large.read(name)))
      const read: Uint8Array[] = []
      await assert.rejects(async () => {
        for await (const chunk of opened.store.bytes.stream(id)) read.push(chunk)
      }, BytesDamaged)
      assert.ok(plain.subarray(0, Buffer.concat(read).length).equals(Buffer.concat(read)), 'what came out was right')
    })

  test('bytes: a file that was cut at a frame is not taken for a shorter mail, whatever its row says', async (t) => {
    const opened = await open(t)
    const [id, finished] = await stored(opened, randomBytes(3 * FRAME_BYTES))
    const sealed = await opened.large.read(nameOf(finished))
    await opened.large.replace(nameOf(finished), sealed.subarray(0, HEADER_BYTES + 2 * SEALED_FRAME_BYTES))
    await opened.store.commit((tx) =>
      tx
        .updateTable('bytes')
        .set({ size_bytes: 2 * FRAME_BYTES })
        .where('id', '=', id)
        .execute(),
    )
    await assert.rejects(opened.store.bytes.read(id), BytesDamaged)
  })

  test('bytes: one mail does not open in the place of another', async (t) => {
    const opened = await open(t)
    const [, one] = await stored(opened, randomBytes(100))
    assert.ok(one.place.kind === 'inline')
    const broken = flip(Buffer.from(one.place.sealed), HEADER_BYTES)
    const finished: FinishedBytes = { ...one, place: { ...one.place, sealed: broken } }
    const id = await opened.store.commit((tx) => opened.store.bytes.insert(tx, finished))
    await assert.rejects(opened.store.bytes.read(id), BytesDamaged)
  })
}

const frame = (sealed: Buffer, at: number): Buffer =>
  sealed.subarray(HEADER_BYTES + at * SEALED_FRAME_BYTES, HEADER_BYTES + (at + 1) * SEALED_FRAME_BYTES)

function flip(sealed: Buffer, at: number): Buffer {
  sealed[at] = (sealed[at] ?? 0) ^ 1
  return sealed
}

function sweeping(open: Open): void {
  test('bytes: sweep removes what a crash left, and nothing else', async (t) => {
    const opened = await open(t)
    const { store, clock } = opened
    const [kept] = await stored(opened, randomBytes(2 * FRAME_BYTES))
    const orphan = await store.bytes.seal(randomBytes(2 * FRAME_BYTES))
    const young = await store.bytes.seal(randomBytes(2 * FRAME_BYTES))
    for (const [finished, ageMs] of [
      [orphan, 10 * 60 * 60_000],
      [young, 60_000],
    ] as const)
      await opened.large.date(nameOf(finished), clock.now - ageMs)
    const small = await store.bytes.seal(randomBytes(10))
    const unused = await store.commit((tx) => store.bytes.insert(tx, small))
    assert.deepEqual(await store.bytes.sweep({ minAgeMs: 60 * 60_000 }), { files: 1, rows: 0 })
    clock.now += 2 * 60 * 60_000
    assert.deepEqual(await store.bytes.sweep({ minAgeMs: 60 * 60_000 }), { files: 1, rows: 1 })
    await assert.rejects(store.bytes.read(unused), BytesMissing)
    assert.equal((await store.bytes.read(kept)).length, 2 * FRAME_BYTES)
    assert.equal((await opened.large.names()).length, 1)
  })
}

function dataKeys(open: Open): void {
  test('data keys: a new one each day; old mail stays readable, after a restart too', async (t) => {
    const opened = await open(t)
    const { store, clock } = opened
    const ids = new Set<number>()
    const mails: BytesId[] = []
    for (let day = 0; day < 3; day++) {
      const [id, finished] = await stored(opened, randomBytes(100))
      ids.add(finished.dataKeyId)
      mails.push(id)
      clock.now += 24 * 60 * 60_000
      await renewed(opened, day + 2)
    }
    assert.equal(ids.size, 3)
    await using again = await opened.again()
    for (const id of mails) assert.equal((await again.bytes.read(id)).length, 100)
    assert.equal(store.dataKeys.current().id, again.dataKeys.current().id, 'shared by processes')
  })

  test('data keys: renewed in the middle of a transaction, without waiting for it', async (t) => {
    const opened = await open(t)
    const { store, clock } = opened
    clock.now += 25 * 60 * 60_000
    const keys = await store.commit(async (tx) => {
      const bytesId = await store.bytes.insert(tx, await store.bytes.seal(randomBytes(5)))
      await enqueue(tx, [queueItem(bytesId, 'a@abc.com')])
      return Array.from({ length: 50 }, () => store.dataKeys.current().id)
    })
    assert.deepEqual([...new Set(keys)], [1])
    await renewed(opened, 2)
    assert.equal((await store.db.selectFrom('data_keys').select('id').execute()).length, 2)
  })

  test('data keys: another master key opens nothing, and is told so; rewrapped, the new one does', async (t) => {
    const opened = await open(t)
    const { store } = opened
    const [id] = await stored(opened, randomBytes(100))
    const next = { id: 'fedcba9876543210', key: createSecretKey(randomBytes(32)) }
    await assert.rejects(opened.again({ masterKey: next }), /0123456789abcdef.*fedcba9876543210/)
    assert.equal(await store.commit((tx) => store.dataKeys.rewrap(tx, next)), 1)
    await using again = await opened.again({ masterKey: next })
    assert.equal((await again.bytes.read(id)).length, 100)
    const impostor = { id: next.id, key: createSecretKey(randomBytes(32)) }
    await assert.rejects(opened.again({ masterKey: impostor }))
  })
}

/** Waits until the due key has been replaced by the one with this id. */
function renewed({ store }: Opened, id: number): Promise<void> {
  return eventually(() => assert.equal(store.dataKeys.current().id, id))
}
