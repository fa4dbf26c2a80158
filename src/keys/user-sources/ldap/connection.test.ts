import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { connectLdap } from './connection.ts'
import { startTlsRequest } from './start-tls.ts'

const OPTIONS = { ca: undefined, timeoutMs: 2_000 }
const START_TLS_SUCCESS = Buffer.from('300c02010178070a010004000400', 'hex')
const BIND_SUCCESS = Buffer.from('300c02010161070a010004000400', 'hex')

/** `answer` is called with all that each connection sends; what was sent is kept. */
async function directory(t: TestContext, answer: (socket: Socket, bytes: Buffer) => void) {
  const connections: Buffer[][] = []
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    const seen: Buffer[] = []
    connections.push(seen)
    open.add(socket)
    socket.on('error', () => undefined).on('close', () => open.delete(socket))
    socket.on('data', (chunk: Buffer) => {
      seen.push(chunk)
      answer(socket, chunk)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { connections, open, server: { host: '127.0.0.1', port } }
}

test('a connection that the directory has closed is not made anew, so that no password goes by another one', async (t) => {
  const { connections, open, server } = await directory(
    t,
    (socket, request) => socket.write(BIND_SUCCESS.fill(request[4] ?? 0, 4, 5)), // the number of the message
  )
  const connection = await connectLdap({ ...server, security: 'plain' }, OPTIONS)
  await connection.client.bind('cn=one', 'first secret')
  const [socket] = open
  assert.ok(socket !== undefined)
  const closed = once(socket, 'close')
  socket.end()
  await closed
  while (connection.isOpen()) await setImmediate()
  await setImmediate() // the library hears of it after us
  await assert.rejects(connection.client.bind('cn=one', 'second secret'), /closed/)
  assert.equal(connection.isOpen(), false)
  assert.equal(connections.length, 1)
})

test('StartTLS that is refused, answered by more than an answer, or not at all: nothing else is sent', async (t) => {
  const cases: readonly [answer: Buffer | undefined, why: RegExp][] = [
    [Buffer.from('300c02010178070a013404000400', 'hex'), /refused \(result code 52\)/],
    [Buffer.concat([START_TLS_SUCCESS, BIND_SUCCESS]), /something follows/],
    [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /is none/],
    [undefined, /no connection within 0\.5 s/],
  ]
  for (const [answer, why] of cases) {
    const { connections, server } = await directory(t, (socket) => answer && socket.write(answer))
    await assert.rejects(connectLdap({ ...server, security: 'starttls' }, { ca: undefined, timeoutMs: 500 }), why)
    assert.equal(connections.length, 1)
    assert.deepEqual(Buffer.concat(connections[0] ?? []), Buffer.from(startTlsRequest()))
  }
})

test('nobody there', async () => {
  await assert.rejects(connectLdap({ host: '127.0.0.1', port: 1, security: 'plain' }, OPTIONS), /ECONNREFUSED/)
})
