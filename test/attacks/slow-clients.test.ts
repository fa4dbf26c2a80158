/** Clients that say little, slowly, or read nothing (slow loris): each costs a place for a bounded time, and no memory. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../support/eventually.ts'
import { startTestSmtp, type ListenerName, type TestSmtp } from '../support/smtp-server.ts'

const IDLE_MS = 1_000
const PACE_MS = 1_000
/** A client that is not cut off drips on for longer. */
const LATE_MS = 5_500

let server: TestSmtp
before(async () => {
  server = await startTestSmtp({
    limits: { idleTimeoutMs: IDLE_MS, paceMs: PACE_MS, dataMinBytesPerSecond: 1_000 },
  })
})
after(() => server.stop(0))

/** What the server said until it closed, and how long that took. */
async function untilClosed(socket: Socket): Promise<{ said: string; ms: number }> {
  const beganMs = performance.now()
  let said = ''
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')))
  await closed(socket)
  return { said, ms: performance.now() - beganMs }
}

/** However it ends. */
const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()))

const open = (name: ListenerName): Socket => connect(server.listeners[name].port, '127.0.0.1')

/** Byte by byte, as long as the connection is open. */
async function drip(socket: Socket, bytes: Iterable<string>, everyMs: number): Promise<void> {
  for (const byte of bytes) {
    if (socket.destroyed || !socket.writable) return
    socket.write(byte)
    await sleep(everyMs)
  }
}

test('a client that says nothing', async () => {
  const { said, ms } = await untilClosed(open('mx'))
  assert.match(said, /^220 [^\n]*\n421 4\.4\.2 Timeout[^\n]*\n$/)
  assert(ms >= IDLE_MS - 20 && ms < LATE_MS, `${ms} ms`)
})

test('a command that comes byte by byte', async () => {
  const socket = open('mx')
  const ending = untilClosed(socket)
  await sleep(50)
  await drip(socket, `NOOP ${'x'.repeat(500)}`, 20)
  const { said, ms } = await ending
  assert.match(said, /421 4\.4\.2 Timeout[^\n]*\n$/)
  assert(ms < LATE_MS, `${ms} ms`)
})

test('a TLS handshake that never comes, or comes byte by byte', async () => {
  const silent = open('mx')
  const dripping = open('mx')
  const all = Promise.all([untilClosed(silent), untilClosed(dripping)])
  await sleep(50)
  for (const socket of [silent, dripping]) socket.write('STARTTLS\r\n')
  await sleep(50)
  await drip(dripping, `\x16\x03\x01\x02${'\0'.repeat(500)}`, 20)
  for (const { ms } of await all) assert(ms < LATE_MS, `${ms} ms`)
})

test('a message that comes byte by byte', async () => {
  const socket = open('mx')
  const ending = untilClosed(socket)
  await sleep(50)
  socket.write('EHLO a.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<t-azuma@biglobe.example>\r\nDATA\r\n')
  await drip(socket, 'Subject: x\r\n'.repeat(50), 10)
  const { said, ms } = await ending
  assert.match(said, /\r\n354 [^\n]*\n421 4\.4\.2 Too slow[^\n]*\n$/)
  assert(ms < LATE_MS, `${ms} ms`)
  assert.equal(server.mails.length, 0)
  await eventually(() => assert.deepEqual(server.aborted, ['Connection closed before the message was complete']))
})

test('a message that comes in time is taken, however long it takes', async () => {
  const socket = open('mx')
  const ending = untilClosed(socket)
  await sleep(50)
  socket.write('EHLO a.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<t-azuma@biglobe.example>\r\nDATA\r\n')
  await drip(
    socket,
    Array.from({ length: 60 }, () => `${'x'.repeat(98)}\r\n`),
    40,
  )
  socket.write('.\r\nQUIT\r\n')
  const { said, ms } = await ending
  assert(ms > 2 * PACE_MS, `${ms} ms`)
  assert.match(said, /\r\n250 2\.0\.0 Queued\r\n221 [^\n]*\n$/)
  server.mails.length = 0
})

test('a client that sends message after message and reads no answer: it is hung up on, and no more are taken', async () => {
  const socket = open('mx')
  socket.on('error', () => undefined)
  const ended = closed(socket)
  await once(socket, 'connect')
  socket.pause()
  const one = `${'EHLO a.example\r\n'.repeat(90)}MAIL FROM:<a@b.example>\r\nRCPT TO:<t-azuma@biglobe.example>\r\nDATA\r\n\r\n.\r\n`
  await sleep(50)
  const many = one.repeat(50)
  for (let sent = 0; sent < 3_000 && socket.writable; sent += 50) {
    if (!socket.write(many)) await Promise.race([once(socket, 'drain'), sleep(3 * IDLE_MS)])
    if (socket.writableLength > 0) break
  }
  let taken = -1
  while (taken !== server.mails.length) {
    taken = server.mails.length // what finds room in the buffers of both systems is answered
    await sleep(3 * IDLE_MS)
  }
  assert(taken < 2_000, `${taken} taken`)
  socket.resume()
  await ended
})
