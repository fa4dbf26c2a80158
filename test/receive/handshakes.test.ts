/** What does not speak TLS, on a listener where TLS comes first. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { startTestSmtp } from '../support/smtp-server.ts'

const server = await startTestSmtp()
after(() => server.stop())

test('a failed TLS handshake is told', async () => {
  const socket = connect(server.listeners.submissions.port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.resume().write('EHLO client.example\r\n')
  await once(socket, 'close')
  assert.ok(server.events.includes('connectionFailed'), server.events.join())
})
