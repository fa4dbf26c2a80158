/** Two nodes on PostgreSQL with a bucket for large messages: what is in it, and what happens while it is away. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { BucketSettings } from '../../src/store/bucket/s3-request.ts'
import { eventually } from '../support/eventually.ts'
import { type NextHop, startNextHop } from '../crash/next-hop.ts'
import { fetchAll, fetchWhenThere, talkPop3s } from '../support/pop3-client.ts'
import { needsPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { makeNode, makeProvider, type Provider, runSealpost } from '../support/provider.ts'
import { readyAt } from '../support/readiness.ts'
import { needsS3Server, type S3Server, startS3Server } from '../support/s3-server.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'
import { startTroubledProxy, type TroubledProxy } from '../support/troubled-proxy.ts'

const ANN = 'ann@abc.com'
const STRANGER = 'stranger@out.example'
const SECRET = 'The secret stands on every line of it.'
const LARGE = `${SECRET}\r\n`.repeat(Math.ceil(3e6 / SECRET.length))
const PATIENCE_MS = 30_000
const needed = { skip: [needsPostgres().skip, needsS3Server().skip].find((skip) => skip !== false) ?? false }

describe('two nodes with a bucket', { ...needed, timeout: 150_000 }, () => {
  let postgres: PostgresServer
  let s3: S3Server
  let bucket: BucketSettings
  let nextHop: NextHop
  let wayOut: TroubledProxy
  /** Takes mail in. */
  let front: Provider
  /** Sends it on; users fetch from it. */
  let back: Provider
  let password: string
  /** What came to the next hop, by recipient. */
  const arrived = new Map<string, Buffer[]>()

  before(async () => {
    ;[postgres, s3] = await Promise.all([startPostgres(), startS3Server()])
    bucket = await s3.newBucket()
    nextHop = await startNextHop(
      () => 5,
      ({ recipient, data }) => arrived.set(recipient, [...(arrived.get(recipient) ?? []), data]),
    )
    wayOut = await startTroubledProxy(nextHop.port)
    front = await makeProvider({
      domains: ['abc.com'],
      store: await postgres.newDatabase(),
      config: { relay: { routes: { '*': `127.0.0.1:${wayOut.port}` } }, evidence: { keepDays: 0 } },
    })
    const secretKeyFile = join(front.dir, 's3-secret')
    await writeFile(secretKeyFile, `${bucket.secretKey}\n`, { mode: 0o600 })
    const { endpoint, name, prefix, accessKeyId } = bucket
    await front.configure({
      store: { bucket: { endpoint, name, prefix, accessKeyId, secretKeyFile, timeoutSeconds: 20 } },
    })
    const [user] = await front.cli(['user', 'add', ANN])
    password = String(user?.['password'])
    back = await makeNode(front)
    await Promise.all([front.start({}, ['--role', 'receive']), back.start({}, ['--role', 'relay,access,admin'])])
  })
  after(async () => {
    await Promise.all([front, back, nextHop, wayOut].map((one) => one[Symbol.asyncDispose]()))
    await Promise.all([postgres, s3].map((one) => one[Symbol.asyncDispose]()))
  })

  const mail = (from: string, to: string, body: string): string =>
    `From: ${from}\r\nTo: ${to}\r\nSubject: bucket\r\nContent-Type: text/plain\r\n\r\n${body}\r\n`
  const submitted = async (to: string, body: string): Promise<string> => {
    const { submission: port } = front.ports
    return (await submit({ port, user: ANN, password, to: [to], message: mail(ANN, to, body) })).reply
  }
  const received = (body: string): Promise<string> =>
    sendUnauthenticated(front.ports.mx, STRANGER, { to: [ANN], message: mail(STRANGER, ANN, body) })
  const comes = async (to: string, body: string): Promise<void> => {
    for (const endMs = performance.now() + PATIENCE_MS; !arrived.has(to) && performance.now() < endMs;)
      await back.event('delivered', (event) => event['recipient'] === to, PATIENCE_MS)
    assert.equal(arrived.get(to)?.length, 1)
    assert.ok(arrived.get(to)?.[0]?.includes(body))
  }
  const retryAll = async (): Promise<void> => {
    await back.cli(['queue', 'retry', '--all'])
  }

  test('a large mail lies in the bucket, sealed, until it has gone out', async () => {
    wayOut.set([], { kind: 'cut', direction: 'down', afterBytes: 0 })
    assert.match(await submitted('first@out.example', LARGE), /^250/)
    const keys = await s3.keys(bucket)
    assert.equal(keys.length, 1)
    const [object] = await Promise.all(keys.map((key) => s3.read(bucket, key)))
    assert.ok(object !== undefined && object.length > LARGE.length)
    for (const text of [SECRET, ANN, 'Subject:']) assert.equal(object.indexOf(text), -1, text)
    await back.event('deferred')
    wayOut.set([])
    await retryAll()
    await comes('first@out.example', LARGE)
    await eventually(async () => assert.deepEqual(await s3.keys(bucket), []))
  })

  test('a user fetches from one node what the other has taken', async () => {
    assert.match(await received(LARGE), /^250/)
    const [fetched] = await fetchWhenThere(back.ports.pop3s, ANN, password)
    assert.ok(fetched?.includes(LARGE))
    assert.deepEqual(await readyAt(front.ports.http), { status: 200, failing: {} })
  })

  test('while the bucket is away large mail is put off, and nothing is lost', async () => {
    wayOut.set([], { kind: 'cut', direction: 'down', afterBytes: 0 })
    assert.match(await submitted('waiting@out.example', LARGE), /^250/)
    await back.event('deferred', (event) => event['recipient'] === 'waiting@out.example')
    wayOut.set([])
    await s3.kill()

    assert.match(await submitted('refused@out.example', LARGE), /^451/)
    assert.match(await received(LARGE), /^451/)
    assert.match(await submitted('small@out.example', 'hello'), /^250/)
    await comes('small@out.example', 'hello')
    assert.ok('bucket' in (await readyAt(front.ports.http)).failing)
    await retryAll()
    await back.event(
      'deferred',
      (event) => event['recipient'] === 'waiting@out.example' && Number(event['attempts']) > 1,
    )
    assert.match(await retrieved(), /^-ERR \[SYS\/TEMP\]/)
    const doctor = runSealpost(['doctor', '--config', front.configFile, '--json'])
    const stdout = await doctor.catch((error: { readonly stdout: string }) => error.stdout)
    assert.match(stdout, new RegExp(`"check":"bucket ${bucket.name}","level":"broken"`))

    await s3.start()
    assert.match(await submitted('refused@out.example', LARGE), /^250/)
    await comes('refused@out.example', LARGE)
    await retryAll()
    await comes('waiting@out.example', LARGE)
    const [fetched] = await fetchAll(back.ports.pop3s, ANN, password)
    assert.ok(fetched?.includes(LARGE))
    assert.equal((await readyAt(front.ports.http)).status, 200)
  })

  async function retrieved(): Promise<string> {
    await using talk = await talkPop3s(back.ports.pop3s)
    await talk.say(`USER ${ANN}`)
    await talk.say(`PASS ${password}`)
    return (await talk.say('RETR 1')).toString()
  }
})
