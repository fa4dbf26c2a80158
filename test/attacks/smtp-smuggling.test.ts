/**
 * SMTP smuggling (published December 2023; CVE-2023-51764, -51765, -51766): two servers that disagree about the end of
 * a message let one message carry a second one, with a sender of the attacker's choice. Whatever ends a line or a
 * message elsewhere, here it must neither make two messages of one nor be accepted at all.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { setTimeout as sleep } from 'node:timers/promises'
import { startTestSmtp, type TestSmtp } from '../support/smtp-server.ts'

/** Each written where an end of data is hoped for, after "line" and before the smuggled commands. */
const ENDS = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r\n.\r',
  '\r.\r',
  '\r.\r\n',
  '\r.\n',
  '\n.\r',
  '\r\n.\r\r\n',
  '\r\r\n.\r\r\n',
  '\n\n.\r\n',
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
  '\r\n.\r\0\n',
  '\r\n\0\r\n.\0\r\n',
  '\0\n.\r\n',
  '\u0085.\u0085\n',
  '\v.\v\r',
  '\f.\f\n.\n',
] as const

/** Look like an end, and are none, and are no fault either: they stay in the message. */
const HARMLESS = [
  '\r\n..\r\n',
  '\r\n. \r\n',
  '\r\n.\t\r\n',
  '\r\n .\r\n',
  '\u0085.\u0085',
  '\v.\v',
  '\\r\\n.\\r\\n',
] as const

const SMUGGLED =
  'MAIL FROM:<admin@biglobe.example>\r\nRCPT TO:<t-azuma@biglobe.example>\r\nDATA\r\nSubject: forged\r\n\r\nx'

let server: TestSmtp
before(async () => {
  server = await startTestSmtp()
})
after(() => server.stop(0))

async function connected(tls: boolean): Promise<Socket> {
  const socket = connect(server.listeners.mx.port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'data')
  if (!tls) return socket
  socket.write('STARTTLS\r\n')
  await once(socket, 'data')
  const secure = connectTls({ socket, rejectUnauthorized: false })
  secure.on('error', () => undefined)
  await once(secure, 'secureConnect')
  return secure
}

/** Sends the message in pieces; resolves to everything the server says until it closes. */
async function deliver(data: string, pieceBytes: number, tls: boolean): Promise<string> {
  const socket = await connected(tls)
  let said = ''
  socket.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')))
  const closed = once(socket, 'close')
  socket.write('EHLO a.example\r\nMAIL FROM:<a@abc.example>\r\nRCPT TO:<t-azuma@biglobe.example>\r\nDATA\r\n')
  const bytes = Buffer.from(data, 'latin1')
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    if (socket.destroyed || !socket.writable) break
    socket.write(bytes.subarray(at, at + pieceBytes))
    if (pieceBytes < bytes.length) await sleep(1)
  }
  await closed
  return said
}

const repliesAfterData = (said: string): string[] => (said.split('354 ')[1] ?? '').split('\r\n').slice(1, -1)

for (const [i, end] of ENDS.entries())
  for (const tls of [false, true])
    test(`${JSON.stringify(end)} ${tls ? 'in TLS ' : ''}ends no message and smuggles none`, async () => {
      const before = server.mails.length
      const data = `Subject: x\r\n\r\nline${end}${SMUGGLED}\r\n.\r\nQUIT\r\n`
      // in one piece, in pieces that cut the sequence, and byte by byte for some
      for (const size of [data.length, 17 + i, ...(i < 4 && !tls ? [1] : [])]) {
        const [answer = '', ...more] = repliesAfterData(await deliver(data, size, tls))
        assert.match(answer, /^550 5\.6\.(?:11|0) /)
        assert.deepEqual(more, [], 'nothing after it is read as a command')
      }
      assert.equal(server.mails.length, before)
    })

for (const end of HARMLESS)
  test(`${JSON.stringify(end)} stays inside its message`, async () => {
    const before = server.mails.length
    const said = await deliver(`Subject: x\r\n\r\nline${end}${SMUGGLED}\r\n.\r\nQUIT\r\n`, 1e6, false)
    assert.deepEqual(repliesAfterData(said), ['250 2.0.0 Queued', '221 2.0.0 Bye'])
    assert.equal(server.mails.length, before + 1)
    assert.equal(server.mails.at(-1)?.envelope.mailFrom.address, 'a@abc.example')
    assert.match(server.mails.at(-1)?.content ?? '', /Subject: forged/)
  })

test('a client that ends its data with <LF>.<LF> and waits is answered, not left hanging', async () => {
  const said = await deliver('Subject: x\n\nline\n.\n', 1e6, false)
  assert.match(repliesAfterData(said)[0] ?? '', /^550 5\.6\.11 /)
})

test('a bare line end in a command ends the session', async () => {
  for (const command of ['RSET\nMAIL FROM:<b@abc.example>\r\n', 'RSET\rMAIL FROM:<b@abc.example>\r\n']) {
    const socket = await connected(false)
    let said = ''
    socket.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')))
    socket.write(command)
    await once(socket, 'close')
    assert.match(said, /^500 5\.5\.2 [^\n]*\r\n$/)
  }
})
