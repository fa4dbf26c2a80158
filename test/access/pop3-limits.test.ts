/** What a POP3 client may not do for ever. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { startTestPop3, testTls, type TestPop3 } from '../support/pop3-server.ts'
import { eventually } from '../support/eventually.ts'

const LOGIN = 'USER bob@abc.com\r\nPASS correct horse\r\n'

/** Connects, sends, and gives everything up to the end of the connection. */
async function talk(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  socket.write(text)
  return allOf(socket)
}

async function allOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'close')
  return Buffer.concat(chunks).toString('latin1')
}

/** The events that end up in `events` after the connection of the client is gone. */
async function settled({ server, events }: TestPop3): Promise<readonly string[]> {
  await server.stop()
  return events
}

test('a silent client is logged out after the idle time, without an answer, and nothing is deleted', async () => {
  const pop3 = await startTestPop3({ limits: { idleTimeoutMs: 60 } })
  const id = pop3.mailbox.add('a\r\n')
  assert.match(await talk(pop3.port, `${LOGIN}DELE 1\r\n`), /will be deleted at QUIT\r\n$/)
  assert.deepEqual(await settled(pop3), ['loggedIn', 'closed idle'])
  assert(pop3.mailbox.contents.has(id))
})

test('every command starts the idle time anew', async () => {
  const pop3 = await startTestPop3({ limits: { idleTimeoutMs: 500 } })
  const socket = connect({ port: pop3.port, host: '127.0.0.1' })
  socket.write(LOGIN)
  for (let i = 0; i < 5; i++) {
    await sleep(150)
    socket.write('NOOP\r\n')
  }
  socket.write('QUIT\r\n')
  assert.match(await allOf(socket), /\+OK Bye\r\n$/)
  assert.deepEqual(await settled(pop3), ['loggedIn', 'closed quit'])
})

test('octets that make no line do not', async () => {
  const pop3 = await startTestPop3({ limits: { idleTimeoutMs: 150 } })
  const socket = connect({ port: pop3.port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  const trickle = setInterval(() => socket.write('x'), 20)
  await allOf(socket)
  clearInterval(trickle)
  assert.deepEqual(await settled(pop3), ['closed idle'])
})

test('a client that is busy but does not sign in is closed', async () => {
  const pop3 = await startTestPop3({ limits: { loginTimeoutMs: 150, commandsBeforeLoginMax: 1_000 } })
  const socket = connect({ port: pop3.port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  const busy = setInterval(() => socket.write('CAPA\r\n'), 20)
  await allOf(socket)
  clearInterval(busy)
  assert.deepEqual(await settled(pop3), ['closed login-too-slow'])
})

test('so many commands before login, and no more', async () => {
  const pop3 = await startTestPop3({ limits: { commandsBeforeLoginMax: 5 } })
  const answer = await talk(pop3.port, 'UTF8\r\n'.repeat(6))
  assert.equal(answer.split('\r\n').length, 1 + 5 + 1 + 1)
  assert.match(answer, /-ERR Too many commands before login\r\n$/)
  assert.deepEqual(await settled(pop3), ['closed too-many-commands'])
})

test('wrong passwords are answered late, and ever later', async () => {
  const pop3 = await startTestPop3({ limits: { loginFailureDelayMs: 60, loginFailuresMax: 3 } })
  const startMs = performance.now()
  const answer = await talk(pop3.port, 'USER bob@abc.com\r\nPASS x\r\n'.repeat(3))
  assert(performance.now() - startMs >= 60 + 120 + 180 - 10)
  assert.equal(answer.match(/-ERR \[AUTH\]/g)?.length, 3)
  assert.equal((await settled(pop3)).at(-1), 'closed too-many-login-failures')
})

test('connections: so many in all, so many a peer, and a place is free again when one ends', async () => {
  const pop3 = await startTestPop3({ limits: { connectionsMax: 3, connectionsPerAddressMax: 2 } })
  const at = (localAddress: string): Socket => connect({ port: pop3.port, host: '127.0.0.1', localAddress })
  const first = [at('127.0.0.1'), at('127.0.0.1')]
  for (const socket of first) await once(socket, 'data')
  assert.equal(await allOf(at('127.0.0.1')), '-ERR [SYS/TEMP] Too many connections\r\n')
  const other = at('127.0.0.2')
  assert.match(String((await once(other, 'data'))[0]), /^\+OK/)
  assert.equal(await allOf(at('127.0.0.3')), '-ERR [SYS/TEMP] Too many connections\r\n')
  first[0]?.destroy()
  await eventually(() => assert.equal(pop3.events.filter((event) => event.startsWith('closed')).length, 1))
  const again = at('127.0.0.1')
  assert.match(String((await once(again, 'data'))[0]), /^\+OK/)
  for (const socket of [...first, other, again]) socket.destroy()
  const turnedAway = (await settled(pop3)).filter((event) => event.startsWith('turnedAway'))
  assert.deepEqual(turnedAway, ['turnedAway connections-per-address-max', 'turnedAway connections-max'])
})

test('a client that never begins TLS on pop3s is cut off', async () => {
  const pop3 = await startTestPop3({ implicitTls: true, limits: { tlsHandshakeTimeoutMs: 60 } })
  assert.equal(await talk(pop3.port, ''), '')
  assert.deepEqual(await settled(pop3), ['closed tls-failed'])
})

test('a client that goes away before TLS has begun leaves nothing behind', async () => {
  const pop3 = await startTestPop3({ implicitTls: true })
  const socket = connect({ port: pop3.port, host: '127.0.0.1' })
  await once(socket, 'connect')
  await sleep(20)
  socket.end()
  await eventually(() => assert.deepEqual(pop3.events, ['closed tls-failed']))
  await pop3.server.stop()
})

test('a client that speaks in the clear on pop3s gets no answer in the clear', async () => {
  const pop3 = await startTestPop3({ implicitTls: true })
  const answer = await talk(pop3.port, LOGIN)
  assert(!answer.includes('OK') && !answer.includes('ERR'))
  assert.deepEqual(await settled(pop3), ['closed tls-failed'])
})

const TLS_1_1 = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const

test('TLS 1.1 is refused', async () => {
  const pop3 = await startTestPop3({ implicitTls: true })
  const socket = connectTls({ port: pop3.port, host: '127.0.0.1', rejectUnauthorized: false, ...TLS_1_1 })
  await once(socket, 'error')
  assert.deepEqual(await settled(pop3), ['closed tls-failed'])
})

test('a new certificate is used from the next TLS session on', async () => {
  const pop3 = await startTestPop3({ implicitTls: true })
  const fingerprint = async (): Promise<string> => {
    const socket = connectTls({ port: pop3.port, host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }
  const before = await fingerprint()
  pop3.server.setTls(testTls('another'))
  assert.notEqual(await fingerprint(), before)
  assert.throws(() => pop3.server.setTls({ certificatePem: 'x', keyPem: 'y' }))
  await pop3.server.stop()
})
