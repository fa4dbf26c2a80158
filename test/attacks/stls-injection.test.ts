/**
 * Commands put in front of the TLS handshake, to be obeyed inside it (CVE-2011-0411 in SMTP; "NO STARTTLS", USENIX
 * Security 2021, for POP3 and IMAP).
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { startTestPop3 } from '../support/pop3-server.ts'

async function greeted(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  await once(socket, 'data')
  return socket
}

async function allOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'close')
  return Buffer.concat(chunks).toString('latin1')
}

test('STLS with commands behind it in one segment is refused and the session ends', async () => {
  const { server, port, events } = await startTestPop3()
  const socket = await greeted(port)
  socket.write('STLS\r\nUSER mallory@abc.com\r\nPASS x\r\n')
  assert.equal(await allOf(socket), '-ERR Nothing may follow STLS before TLS has begun\r\n')
  await server.stop()
  assert.deepEqual(events, ['closed injected-before-tls'])
})

test('half a command behind STLS is refused as well', async () => {
  const { server, port } = await startTestPop3()
  const socket = await greeted(port)
  socket.write('STLS\r\nUSER mall')
  assert.match(await allOf(socket), /^-ERR Nothing may follow STLS/)
  await server.stop()
})

test('a command after the +OK, in the clear, is not obeyed: the handshake fails on it', async () => {
  const { server, port, events } = await startTestPop3()
  const socket = await greeted(port)
  socket.write('STLS\r\n')
  await once(socket, 'data')
  socket.write('USER bob@abc.com\r\nPASS correct horse\r\n')
  const rest = await allOf(socket)
  assert(!rest.includes('+OK') && !rest.includes('-ERR'), rest)
  await server.stop()
  assert.deepEqual(events, ['closed tls-failed'])
})

test('a command in front of STLS is answered in the clear and leaves no trace inside TLS', async () => {
  const { server, port } = await startTestPop3()
  const socket = await greeted(port)
  socket.write('USER bob@abc.com\r\nSTLS\r\n')
  let clear = ''
  while (!clear.includes('Begin TLS')) clear += String((await once(socket, 'data'))[0])
  const secured = connectTls({ socket, rejectUnauthorized: false })
  await once(secured, 'secureConnect')
  secured.write('PASS correct horse\r\n')
  const [answer] = (await once(secured, 'data')) as [Buffer]
  assert.equal(answer.toString(), '-ERR PASS is not allowed now\r\n')
  secured.destroy()
  await server.stop()
})

test('a TLS session for another protocol is refused (ALPN)', async () => {
  const { server, port } = await startTestPop3({ implicitTls: true })
  const other = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
  const [error] = (await once(other, 'error')) as [Error]
  assert.match(error.message, /no.application.protocol/i)
  const ours = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['pop3'] })
  await once(ours, 'secureConnect')
  assert.equal(ours.alpnProtocol, 'pop3')
  ours.destroy()
  await server.stop()
})
