/** What dialogs cannot show: several connections, time, certificates, stopping, memory. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { setTimeout as sleep } from 'node:timers/promises'
import { reply, type Reply } from '../../src/protocol/smtp-reply.ts'
import type { ReceivedMail } from '../../src/protocol/smtp-session.ts'
import { playDialog } from '../dialogs/run-dialogs.ts'
import { startTestSmtp, tlsKeys, PLAIN, type TestSmtp } from '../support/smtp-server.ts'
import { eventually } from '../support/eventually.ts'

const TRANSACTION =
  '< 220\n> EHLO a.example\n<+ 250\n> MAIL FROM:<a@abc.example>\n< 250\n> RCPT TO:<t-azuma@biglobe.example>\n< 250\n'

async function withServer(
  options: Parameters<typeof startTestSmtp>[0],
  work: (server: TestSmtp) => Promise<void>,
): Promise<void> {
  const server = await startTestSmtp(options)
  try {
    await work(server)
  } finally {
    await server.stop(0)
  }
}

async function open(port: number): Promise<{ socket: Socket; said: () => string }> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  let said = ''
  socket.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')))
  await once(socket, 'data')
  return { socket, said: () => said }
}

test('more connections than allowed hear 421, and find room when others have gone', () =>
  withServer({ limits: { connectionsPerPeerMax: 2 } }, async (server) => {
    const { port } = server.listeners.mx
    const [first, second] = [await open(port), await open(port)]
    assert.match(first.said() + second.said(), /^220 .*\r\n220 /)
    assert.match((await open(port)).said(), /^421 4\.7\.0/)
    first.socket.destroy()
    await eventually(async () => {
      const third = await open(port)
      third.socket.destroy()
      assert.match(third.said(), /^220 /)
    })
    second.socket.destroy()
  }))

test('every failed login takes longer', () =>
  withServer({ limits: { loginFailureDelayMs: 60 } }, async (server) => {
    const startMs = performance.now()
    const { socket, said } = await open(server.listeners.submission.port)
    socket.write(`EHLO c.example\r\n${'AUTH PLAIN AGEAYg==\r\n'.repeat(5)}`)
    await once(socket, 'close')
    assert(performance.now() - startMs >= 60 + 120 + 240)
    assert.equal(said().match(/^535 5\.7\.8/gm)?.length, 3)
    assert.match(said(), /421 4\.7\.0 Too many failed logins\r\n$/)
  }))

test('a session that lasts too long ends', () =>
  withServer({ limits: { sessionMaxMs: 100 } }, async (server) => {
    const { socket, said } = await open(server.listeners.mx.port)
    await once(socket, 'close')
    assert.match(said(), /421 4\.4\.2 Session too long\r\n$/)
  }))

test('a client that is made to wait is not timed out', () =>
  withServer({ limits: { idleTimeoutMs: 400 } }, async (server) => {
    server.onAccept = async () => {
      await sleep(1_000)
      return reply(250, '2.0.0', 'Queued')
    }
    const dialog = `${TRANSACTION}> DATA\n< 354\n> .\n< 250\n< 421 4.4.2`
    await playDialog('slow', dialog, { listeners: { mx: server.dialogListeners.mx } })
  }))

test('nor is one whose message is read slowly', () => {
  const accept = async ({ content }: ReceivedMail): Promise<Reply> => {
    await sleep(700)
    await content[Symbol.asyncIterator]().next()
    await sleep(700)
    for await (const _ of content);
    return reply(250, '2.0.0', 'Queued')
  }
  return withServer({ limits: { idleTimeoutMs: 300 }, accept }, async (server) => {
    const { socket, said } = await open(server.listeners.mx.port)
    socket.write('EHLO a.example\r\nMAIL FROM:<a@abc.example>\r\nRCPT TO:<t-azuma@biglobe.example>\r\nDATA\r\n')
    socket.write(Buffer.alloc(720_000, '\r\n1234567890'))
    socket.write('\r\n.\r\n')
    while (!said().includes('250 2.0.0 Queued') && !socket.destroyed) await sleep(10)
    assert.match(said(), /250 2\.0\.0 Queued\r\n$/)
    socket.destroy()
  })
})

test('messages that have ended leave no timers behind in their session', () =>
  withServer({}, async (server) => {
    const timers = (): number => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length
    const { socket, said } = await open(server.listeners.mx.port)
    const before = timers()
    const message = 'MAIL FROM:<a@abc.example>\r\nRCPT TO:<t-azuma@biglobe.example>\r\nDATA\r\na: b\r\n\r\nc\r\n.\r\n'
    socket.write(`EHLO a.example\r\n${message.repeat(50)}`)
    await eventually(() => assert.equal(said().match(/^250 2\.0\.0 Queued/gm)?.length, 50))
    assert(timers() < before + 10, `${timers() - before} more timers`)
    socket.destroy()
  }))

test('stop: idle sessions end at once, a message under way is answered first, nobody new comes in', () =>
  withServer({}, async (server) => {
    const { port } = server.listeners.mx
    const idle = await open(port)
    const busy = await open(port)
    busy.socket.write('EHLO a.example\r\nMAIL FROM:<a@abc.example>\r\nRCPT TO:<t-azuma@biglobe.example>\r\nDATA\r\n')
    await eventually(() => assert.match(busy.said(), /^354 /m))
    const stopped = server.stop(5_000)
    await once(idle.socket, 'close')
    assert.match(idle.said(), /421 4\.3\.2/)
    await assert.rejects(open(port))
    busy.socket.write('a: b\r\n\r\nc\r\n.\r\nMAIL FROM:<a@abc.example>\r\n')
    await once(busy.socket, 'close')
    assert.match(busy.said(), /354 .*\r\n250 2\.0\.0 Queued\r\n421 4\.3\.2 [^\r]*\r\n$/)
    await stopped
    assert.equal(server.mails.length, 1)
  }))

test('stop: who does not finish in time is cut off with 421, and nothing of theirs is accepted', () =>
  withServer({}, async (server) => {
    const { socket, said } = await open(server.listeners.mx.port)
    socket.write('EHLO a.example\r\nMAIL FROM:<a@abc.example>\r\nRCPT TO:<t-azuma@biglobe.example>\r\nDATA\r\nhalf')
    await eventually(() => assert.match(said(), /^354 /m))
    const closed = once(socket, 'close')
    await server.stop(100)
    await closed
    assert.match(said(), /421 4\.3\.2 [^\r]*\r\n$/)
    await eventually(() => assert.deepEqual([server.mails.length, server.aborted.length], [0, 1]))
  }))

test('stop: handshakes that never end do not hold it up', () =>
  withServer({}, async (server) => {
    const sockets = [server.listeners.submissions, server.listeners.strict].map(({ port }) =>
      connect(port, '127.0.0.1'),
    )
    for (const socket of sockets) socket.on('error', () => undefined).resume()
    await sleep(50)
    sockets[1]?.write('STARTTLS\r\n')
    await sleep(50)
    const startMs = performance.now()
    await server.stop(100)
    assert(performance.now() - startMs < 20_000)
  }))

test('setTls: new connections get the new certificate, a broken one changes nothing', () =>
  withServer({}, async ({ listeners: { submissions } }) => {
    const fingerprint = async (): Promise<string> => {
      const socket = connectTls({ port: submissions.port, host: '127.0.0.1', rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      const seen = socket.getPeerCertificate().fingerprint256
      socket.destroy()
      return seen
    }
    const first = await fingerprint()
    const other = tlsKeys('other')
    assert.throws(() => submissions.setTls({ key: tlsKeys('test').key, cert: other.cert }))
    assert.equal(await fingerprint(), first)
    submissions.setTls(other)
    assert.notEqual(await fingerprint(), first)
  }))

test('TLS 1.1 is not spoken', () =>
  withServer({}, async ({ listeners: { submissions } }) => {
    const options = {
      port: submissions.port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ciphers: 'DEFAULT@SECLEVEL=0',
    }
    const socket = connectTls({ ...options, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })
    const error: unknown = (await once(socket, 'error'))[0]
    assert.match(String(error), /protocol version|unsupported protocol|alert/)
  }))

test('an inbox that says 250 before it has read the message is not believed', () =>
  withServer({ accept: () => Promise.resolve(reply(250, '2.0.0', 'Queued')) }, async (server) => {
    const dialog = `${TRANSACTION}> DATA\n< 354\n> a: b\n> .\n< 451 4.3.0`
    await playDialog('hasty', dialog, { listeners: { mx: server.dialogListeners.mx } })
  }))

test('an inbox that refuses without reading is believed, at the end of the data', () =>
  withServer({ accept: () => Promise.resolve(reply(550, '5.7.1', 'No')) }, async (server) => {
    const dialog = `${TRANSACTION}> DATA\n< 354\n~ silence 50\n>> \\*{9000|1234567890\\r\\n}\n> .\n<= 550 5.7.1 No\n> NOOP\n< 250`
    await playDialog('refusing', dialog, { listeners: { mx: server.dialogListeners.mx } })
  }))

test('a slow reader slows the client down: memory stays bounded', () => {
  let release: () => void = () => undefined
  const gate = new Promise<void>((resolve) => (release = resolve))
  let read = 0
  return withServer(
    {
      limits: { messageMaxBytes: 2 ** 30 },
      accept: async ({ content }) => {
        await gate
        for await (const chunk of content) read += chunk.length
        return reply(250, '2.0.0', 'Queued')
      },
    },
    async (server) => {
      const { socket, said } = await open(server.listeners.submission.port)
      socket.write(`EHLO c.example\r\nAUTH PLAIN ${PLAIN}\r\n`)
      socket.write('MAIL FROM:<t-azuma@biglobe.example>\r\nRCPT TO:<u-suzuki@abc.example>\r\nDATA\r\n')
      while (!said().includes('354 ')) await sleep(10)
      const line = Buffer.from(`${'x'.repeat(76)}\r\n`)
      const block = Buffer.concat([Buffer.from('\r\n'), ...Array<Buffer>(13_000).fill(line)])
      for (let i = 0; i < 40; i++) socket.write(block)
      await sleep(300)
      // what the kernel's buffers and ours hold is all that has left the client
      assert(socket.writableLength > 25 * block.length, `${socket.writableLength} bytes wait at the client`)
      release()
      socket.write('.\r\n')
      while (!said().includes('250 2.0.0 Queued')) await sleep(10)
      assert.equal(read, 40 * block.length)
      socket.destroy()
    },
  )
})
