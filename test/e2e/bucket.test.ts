/**
 * Large messages in a bucket of a real S3-compatible store: the suite of every store; connections that break, hang or are told
 * to wait; and a node that goes on when the store is away.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'
import { BucketFailed } from '../../src/store/bucket/bucket.ts'
import { BytesMissing } from '../../src/store/bytes/sealing.ts'
import { bytesSuite } from '../../src/store/conformance/bytes-suite.ts'
import { type Opened, openSqliteStore, queueItem } from '../../src/store/conformance/fixture.ts'
import { BYTES_FOLDER, type Store } from '../../src/store/database.ts'
import { enqueue } from '../../src/store/queue.ts'
import type { BytesId } from '../../src/store/schema.ts'
import { openBucketStore } from '../support/bucket-store.ts'
import { needsS3Server, type S3Server, startS3Server } from '../support/s3-server.ts'
import { startTroubledProxy, type Trouble, type TroubledProxy } from '../support/troubled-proxy.ts'
import { eventually } from '../support/eventually.ts'

/** Several parts when it is read. */
const LARGE_BYTES = 3 * 2 ** 20
const SLOW_DOWN: Trouble = {
  kind: 'answer',
  text: 'HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n<Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>',
}

describe('a bucket', { ...needsS3Server(), timeout: 200_000 }, () => {
  let server: S3Server
  let proxy: TroubledProxy
  before(async () => {
    server = await startS3Server()
    proxy = await startTroubledProxy(server.port)
  })
  after(async () => {
    await proxy[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  bytesSuite((t) => openBucketStore(server, t))

  const open = (t: TestContext, silenceMaxMs = 20_000) => {
    proxy.set([])
    return openBucketStore(server, t, { endpoint: `http://127.0.0.1:${proxy.port}`, silenceMaxMs })
  }

  test('a connection that is lost in the middle of an object is one more request', async (t) => {
    const opened = await open(t)
    const plain = randomBytes(LARGE_BYTES)
    proxy.set([{ kind: 'cut', direction: 'up', afterBytes: 1_000_000 }])
    const id = await put(opened.store, plain)
    assert.ok(proxy.connections >= 2)
    proxy.set([{ kind: 'cut', direction: 'down', afterBytes: 500_000 }])
    assert.ok(plain.equals(await opened.store.bytes.read(id)))
    assert.ok(proxy.connections >= 2)
    assert.deepEqual(await localFiles(opened), [])
  })

  test('told to slow down, it asks again', async (t) => {
    const opened = await open(t)
    const plain = randomBytes(LARGE_BYTES)
    proxy.set([SLOW_DOWN, SLOW_DOWN])
    const id = await put(opened.store, plain)
    assert.ok(plain.equals(await opened.store.bytes.read(id)))
  })

  const hopeless: readonly [why: string, trouble: Trouble, code: string][] = [
    ['that is only ever told to slow down', SLOW_DOWN, 'SlowDown'],
    ['whose connections always break', { kind: 'cut', direction: 'up', afterBytes: 100_000 }, 'NoConnection'],
    ['that hears nothing', { kind: 'silence' }, 'NoConnection'],
  ]
  for (const [why, trouble, code] of hopeless)
    test(`a message ${why} is not taken, and leaves nothing behind`, async (t) => {
      const opened = await open(t, trouble.kind === 'silence' ? 1_500 : undefined)
      proxy.set([], trouble)
      const failed = (error: unknown): boolean => error instanceof BucketFailed && error.code === code
      await assert.rejects(opened.store.bytes.seal(randomBytes(LARGE_BYTES)), failed)
      assert.equal(proxy.connections, 3)
      proxy.set([])
      assert.deepEqual(await opened.large.names(), [])
      await put(opened.store, randomBytes(LARGE_BYTES))
    })

  test('a bucket that is gone, or closed to us, is trouble; that a message is gone is not said', async (t) => {
    const opened = await open(t)
    const { bucket } = opened
    const id = await put(opened.store, randomBytes(LARGE_BYTES))
    const cases = [
      [{ ...bucket, name: 'another-one' }, 'NoSuchBucket'],
      [{ ...bucket, secretKey: 'wrong' }, 'SignatureDoesNotMatch'],
    ] as const
    for (const [settings, code] of cases) {
      await using other = await opened.again({ bucket: settings })
      proxy.set([])
      await assert.rejects(other.bytes.read(id), (error) => error instanceof BucketFailed && error.code === code)
      await assert.rejects(other.bucket?.tryOut('try') ?? Promise.resolve(), BucketFailed)
      assert.equal(proxy.connections, 1, 'such an answer is not asked for again')
    }
    await using without = await opened.again({ bucket: undefined })
    await assert.rejects(without.bytes.read(id), (error) => !(error instanceof BytesMissing))
    await opened.store.bucket?.tryOut('try')
    await server.kill()
    await assert.rejects(opened.store.bytes.read(id), (error) => error instanceof BucketFailed)
    await server.start()
    assert.equal((await opened.store.bytes.read(id)).length, LARGE_BYTES)
  })

  test('what lay elsewhere before there was a bucket stays readable, and goes when it is not needed', async (t) => {
    const opened = await openSqliteStore(t)
    const before = randomBytes(LARGE_BYTES)
    const id = await put(opened.store, before)
    await using store = await opened.again({ bucket: await server.newBucket() })
    const since = randomBytes(LARGE_BYTES)
    const newer = await put(store, since)
    assert.ok(before.equals(await store.bytes.read(id)))
    assert.ok(since.equals(await store.bytes.read(newer)))
    assert.equal((await localFiles(opened)).length, 1)
    await store.commit(async (tx) => {
      await tx.deleteFrom('queue').execute()
    })
    opened.clock.now += 24 * 60 * 60_000
    assert.equal((await store.bytes.sweep({ minAgeMs: 0 })).rows, 2)
    await eventually(async () => assert.deepEqual(await localFiles(opened), []))
  })

  test('a sweep leaves alone what is not named as ours', async (t) => {
    const opened = await openBucketStore(server, t)
    const { bucket, store } = opened
    const { prefix } = bucket
    const keys = [`${prefix}readme.txt`, `elsewhere/${'0'.repeat(32)}`, `${prefix}${'0'.repeat(32)}`]
    for (const key of keys) {
      await server.write(bucket, key, randomBytes(10))
      await server.date(bucket, key, 0)
    }
    assert.equal((await store.bytes.sweep()).files, 1)
    assert.deepEqual(await server.keys(bucket), keys.slice(0, 2).toSorted())
  })
})

/** With a row that speaks of it. */
async function put(store: Store, plain: Uint8Array): Promise<BytesId> {
  const finished = await store.bytes.seal(plain)
  return store.commit(async (tx) => {
    const id = await store.bytes.insert(tx, finished)
    await enqueue(tx, [queueItem(id, 'a@abc.com')])
    return id
  })
}

async function localFiles({ dir }: Opened): Promise<string[]> {
  const found = await readdir(join(dir, BYTES_FOLDER), { recursive: true, withFileTypes: true }).catch(() => [])
  return found.filter((entry) => entry.isFile()).map(({ name }) => name)
}
