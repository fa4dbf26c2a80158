/** Commands put in front of the TLS handshake, to be obeyed inside it (CVE-2011-0411). */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { setTimeout as sleep } from 'node:timers/promises'
import { startTestSmtp, type TestSmtp } from '../support/smtp-server.ts'

let server: TestSmtp
before(async () => {
  server = await startTestSmtp()
})
after(() => server.stop(0))

async function greeted(): Promise<Socket> {
  const socket = connect(server.listeners.mx.port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'data')
  return socket
}

async function allOf(socket: Socket): Promise<string> {
  let said = ''
  socket.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')))
  await once(socket, 'close')
  return said
}

for (const injected of ['EHLO evil.example\r\n', 'EHLO evil', 'RSET\r\n'.repeat(500)])
  test(`${injected.length} bytes behind STARTTLS in one segment are refused and the session ends`, async () => {
    const socket = await greeted()
    socket.write(`STARTTLS\r\n${injected}`)
    assert.equal(await allOf(socket), '501 5.5.4 Nothing may follow STARTTLS before TLS has begun\r\n')
  })

test('commands sent after the answer and before the handshake are never obeyed', async () => {
  const socket = await greeted()
  socket.write('STARTTLS\r\n')
  await once(socket, 'data')
  socket.write('EHLO evil.example\r\nMAIL FROM:<evil@abc.example>\r\n')
  assert.equal(await allOf(socket), '') // what is no TLS record ends the handshake
})

test('what was said in clear counts for nothing inside TLS', async () => {
  const socket = await greeted()
  socket.write('EHLO evil.example\r\nMAIL FROM:<evil@abc.example>\r\n')
  await sleep(50)
  socket.read()
  socket.write('STARTTLS\r\n')
  await sleep(50)
  socket.removeAllListeners('data')
  const secure = connectTls({ socket, rejectUnauthorized: false })
  await once(secure, 'secureConnect')
  const said = allOf(secure)
  secure.write('RCPT TO:<t-azuma@biglobe.example>\r\nMAIL FROM:<a@abc.example>\r\nQUIT\r\n')
  assert.match(await said, /^503 [^\r]*\r\n503 [^\r]*EHLO[^\r]*\r\n221 [^\r]*\r\n$/)
})
