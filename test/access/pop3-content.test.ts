/** Messages on their way to the client: large, slow, broken off, and while the server stops. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { startTestPop3, TestMailbox } from '../support/pop3-server.ts'
import { eventually } from '../support/eventually.ts'

const LOGIN = 'USER bob@abc.com\r\nPASS correct horse\r\n'
const MEGABYTE = 2 ** 20

async function send(port: number, text: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

async function allOf(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'close')
  return Buffer.concat(chunks)
}

/** The content of the only message in all that came, dots undoubled. */
function contentOf(answers: Buffer): Buffer {
  const text = answers.toString('latin1')
  const start = text.indexOf('octets\r\n') + 'octets\r\n'.length
  const end = text.lastIndexOf('\r\n.\r\n+OK') + 2
  return Buffer.from(text.slice(start, end).replaceAll('\n..', '\n.').replace(/^\.\./, '.'), 'latin1')
}

const contents: readonly [content: Buffer, why: string][] = [
  [Buffer.concat([Buffer.alloc(20 * MEGABYTE, 'QUJDREVGR0g=\r\n'), Buffer.from('\r\n')]), '20 MB'],
  [Buffer.alloc(3 * MEGABYTE, '.\r\n'), 'every line a dot'],
  [Buffer.concat([Buffer.alloc(MEGABYTE, 'x'), Buffer.from('\r\n')]), 'a line of a megabyte'],
  [Buffer.concat([Buffer.from(Array.from({ length: 4096 }, (_, i) => i & 255)), Buffer.from('\r\n')]), 'every octet'],
]
for (const [content, why] of contents)
  test(`content arrives as it is stored: ${why}`, async () => {
    for (const chunkBytes of [65536, 1000, content.length]) {
      const mailbox = new TestMailbox()
      mailbox.chunkBytes = chunkBytes
      mailbox.add(content)
      const { server, port } = await startTestPop3({}, mailbox)
      const received = contentOf(await allOf(await send(port, `${LOGIN}RETR 1\r\nQUIT\r\n`)))
      assert(received.equals(content), `in chunks of ${chunkBytes}`)
      await server.stop()
    }
  })

test('a slow reader is waited for, and the message is read from the store at its pace', async () => {
  const { server, port, mailbox } = await startTestPop3()
  let chunksRead = 0
  mailbox.chunkBytes = 65536
  mailbox.onChunk = () => void chunksRead++
  const content = Buffer.alloc(40 * MEGABYTE, 'QUJDREVGR0g=\r\n\r\n')
  mailbox.add(content)
  const socket = await send(port, `${LOGIN}RETR 1\r\nQUIT\r\n`)
  await sleep(300)
  const readWhileWaiting = chunksRead
  assert(readWhileWaiting < 300, `${readWhileWaiting} chunks were read for a client that takes nothing`)
  await sleep(100)
  assert.equal(chunksRead, readWhileWaiting)
  assert(contentOf(await allOf(socket)).equals(content))
  await server.stop()
})

test('a client that takes nothing is cut off after the write time-out', async () => {
  const { server, port, mailbox, events } = await startTestPop3({ limits: { writeTimeoutMs: 80 } })
  mailbox.add(Buffer.alloc(40 * MEGABYTE, 'QUJDREVGR0g=\r\n\r\n'))
  const socket = await send(port, `${LOGIN}RETR 1\r\nDELE 1\r\nQUIT\r\n`)
  await eventually(() => assert.deepEqual(events, ['loggedIn', 'closed client-gone']))
  assert.equal(mailbox.contents.size, 1)
  socket.destroy()
  await server.stop()
})

test('a store that fails before the first octet is an -ERR', async () => {
  const { server, port, mailbox, errors } = await startTestPop3()
  mailbox.add('a\r\n')
  mailbox.onChunk = () => Promise.reject(new Error('the disk is broken'))
  const answers = await allOf(await send(port, `${LOGIN}RETR 1\r\nTOP 1 0\r\nQUIT\r\n`))
  assert.equal(answers.toString().match(/-ERR \[SYS\/TEMP\] That message cannot be read/g)?.length, 2)
  assert.equal(errors.length, 2)
  await server.stop()
})

test('a store that fails in the middle cuts the connection: no client takes half a message for a whole', async () => {
  const { server, port, mailbox, events } = await startTestPop3()
  mailbox.add(Buffer.alloc(100_000, 'a\r\n'))
  mailbox.onChunk = (_, index) => {
    if (index === 5) throw new Error('the disk is broken')
  }
  const answers = await allOf(await send(port, `${LOGIN}RETR 1\r\nDELE 1\r\nQUIT\r\n`))
  assert(!answers.includes('\r\n.\r\n'))
  assert.equal(mailbox.contents.size, 1)
  await server.stop()
  assert.deepEqual(events, ['loggedIn', 'failed', 'closed content-failed'])
})

test('a client that goes away in the middle leaves nothing open', async () => {
  const { server, port, mailbox, events } = await startTestPop3()
  mailbox.add(Buffer.alloc(40 * MEGABYTE, 'QUJDREVGR0g=\r\n\r\n'))
  const socket = await send(port, `${LOGIN}RETR 1\r\n`)
  await once(socket, 'data')
  await eventually(() => assert.equal(mailbox.readsUnderWay, 1))
  socket.destroy()
  await eventually(() => assert.deepEqual(events, ['loggedIn', 'closed client-gone']))
  assert.equal(mailbox.readsUnderWay, 0)
  await server.stop()
})

test('TOP reads no further than it shows', async () => {
  const { server, port, mailbox } = await startTestPop3()
  let chunksRead = 0
  mailbox.onChunk = () => void chunksRead++
  mailbox.add(Buffer.concat([Buffer.from('A: 1\r\n\r\n'), Buffer.alloc(MEGABYTE, 'b\r\n')]))
  await allOf(await send(port, `${LOGIN}TOP 1 3\r\nQUIT\r\n`))
  assert.equal(chunksRead, 1)
  assert.equal(mailbox.readsUnderWay, 0)
  await server.stop()
})

test('a client that has closed its side gets all that it asked for', async () => {
  const { server, port, mailbox } = await startTestPop3()
  mailbox.onChunk = () => sleep(10)
  mailbox.add(Buffer.alloc(80_000, 'QUJDREVGR0g=\r\n\r\n'))
  const socket = await send(port, `${LOGIN}RETR 1\r\nQUIT\r\n`)
  socket.end()
  assert.equal(contentOf(await allOf(socket)).length, 80_000)
  await server.stop()
})

test('a client that sends commands without end while one runs has to wait', async () => {
  const { server, port, mailbox } = await startTestPop3({ limits: { stopGraceMs: 0 } })
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  mailbox.onChunk = () => held
  mailbox.add('a\r\n')
  const socket = await send(port, `${LOGIN}RETR 1\r\n`)
  await sleep(50)
  const commands = Buffer.from('NOOP\r\n'.repeat(10_000))
  let takenBytes = 0
  for (let sent = 0; sent < 1_500 && socket.writableLength < MEGABYTE; sent++) {
    socket.write(commands, () => (takenBytes += commands.length))
    await sleep(socket.writableLength > MEGABYTE / 2 ? 5 : 0)
  }
  assert(takenBytes < 40 * MEGABYTE, `${takenBytes} octets of commands were read ahead`) // most of it by the kernel
  socket.destroy()
  release()
  await server.stop()
})

test('a list of 100,000 messages', async () => {
  const { server, port, mailbox } = await startTestPop3()
  for (let i = 0; i < 100_000; i++) mailbox.add('a\r\n')
  const answers = (await allOf(await send(port, `${LOGIN}LIST\r\nUIDL\r\nQUIT\r\n`))).toString().split('\r\n')
  assert(answers.includes('100000 3') && answers.includes('100000 uid-100100'))
  await server.stop()
})

test('stop: a message on its way and a QUIT are finished, a silent session is closed, nobody new comes in', async () => {
  const { server, port, mailbox, events } = await startTestPop3()
  mailbox.onChunk = () => sleep(20)
  mailbox.add(Buffer.alloc(80_000, 'QUJDREVGR0g=\r\n\r\n'))
  const silent = await send(port, `${LOGIN}DELE 1\r\n`)
  const busy = await send(port, `${LOGIN}RETR 1\r\nDELE 1\r\nQUIT\r\n`)
  const answersOfBusy = allOf(busy)
  await once(busy, 'data')
  const [answers] = await Promise.all([answersOfBusy, allOf(silent), server.stop()])
  assert.equal(contentOf(answers).length, 80_000)
  assert.deepEqual(events.slice(2).toSorted(), ['closed quit', 'closed stopped', 'removed 101', 'retrieved 101'])
  await assert.rejects(send(port, ''), { code: 'ECONNREFUSED' })
})

test('stop: who does not end is cut off after the grace period', async () => {
  const { server, port, mailbox, events } = await startTestPop3({ limits: { stopGraceMs: 100 } })
  mailbox.add(Buffer.alloc(40 * MEGABYTE, 'QUJDREVGR0g=\r\n\r\n'))
  await send(port, `${LOGIN}RETR 1\r\n`)
  await eventually(() => assert.equal(mailbox.readsUnderWay, 1))
  await server.stop()
  assert.deepEqual(events, ['loggedIn', 'closed stopped'])
})
