/** The HTTPS listener by itself: what it answers, how it ends, and what a client may not do to it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { type TLSSocket, connect } from 'node:tls'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { createTlsCertificate } from '../../src/keys/certificate-authority.ts'
import type { Asked } from '../../src/publish/directory.ts'
import { type HttpsListener, startHttps } from '../../src/publish/https-listener.ts'
import { REQUESTS_PER_MINUTE_MAX } from '../../src/publish/request-meter.ts'
import { needs } from '../support/apt.ts'

const HOST = 'example.org'
const CONNECTIONS_PER_PEER_MAX = 5

describe('the HTTPS listener', () => {
  let listener: HttpsListener
  let folder = ''
  let certificate = ''
  const clock = { atMs: 0 }
  const asked: Asked[] = []
  const answered: number[] = []

  before(async () => {
    const tls = await createTlsCertificate({ hosts: [HOST], nowMs: Date.now() })
    folder = await mkdtemp(join(tmpdir(), 'sealpost-https-'))
    certificate = tls.certificatePem
    await writeFile(join(folder, 'ca.pem'), certificate)
    listener = await startHttps(
      {
        host: '127.0.0.1',
        port: 0,
        tls: { cert: certificate, key: tls.keyPem },
        connectionsMax: 50,
        connectionsPerPeerMax: CONNECTIONS_PER_PEER_MAX,
        stopGraceMs: 500,
      },
      {
        answer: async (request) => {
          asked.push(request)
          if (request.target === '/bug') throw new Error('a bug')
          return { status: 200, headers: { 'content-type': 'text/plain' }, body: Buffer.from('body') }
        },
        nowMs: () => clock.atMs,
        answered: ({ status }) => answered.push(status),
        failed: () => undefined,
      },
    )
  })
  after(async () => {
    await listener.stop()
    await rm(folder, { recursive: true })
  })

  const open = (): TLSSocket =>
    connect({ host: '127.0.0.1', port: listener.address.port, servername: HOST, ca: certificate })

  /** Sends as it is, and reads until the server ends. */
  async function dialogue(text: string): Promise<string> {
    const socket = open()
    let heard = ''
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    socket.on('secureConnect', () => socket.write(text))
    await new Promise((resolve) => socket.once('close', resolve)) // events.once would reject at an error
    return heard
  }

  const get = (target: string, more = ''): string =>
    `GET ${target} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n${more}\r\n`

  test('curl, with the certificate verified', needs('curl', 'curl'), async () => {
    const { port } = listener.address
    const options = ['--silent', '--show-error', '--cacert', join(folder, 'ca.pem')]
    const resolved = ['--resolve', `${HOST}:${port}:127.0.0.1`, '--header', 'Accept: application/pgp-keys']
    const url = `https://${HOST}:${port}/x?l=y`
    const { stdout } = await promisify(execFile)('curl', [...options, ...resolved, url])
    assert.equal(stdout, 'body')
    assert.deepEqual(asked.at(-1), {
      method: 'GET',
      host: `${HOST}:${port}`,
      target: '/x?l=y',
      accept: 'application/pgp-keys',
    })
  })

  test('HEAD says how long it is, and no more', async () => {
    const heard = await dialogue(get('/x').replace('GET', 'HEAD'))
    assert.match(heard, /^HTTP\/1.1 200 OK\r\n/)
    assert.match(heard, /content-length: 4\r\n/i)
    assert.match(heard, /\r\n\r\n$/)
  })

  test('a bug is a 500 without words', async () => {
    assert.match(await dialogue(get('/bug')), /^HTTP\/1.1 500 [^\r]*\r\n(?:[^\r]+\r\n)*\r\n$/)
  })

  test('a body that nobody asked for is not read', async () => {
    const heard = await dialogue('GET /x HTTP/1.1\r\nHost: example.org\r\nContent-Length: 1000000000\r\n\r\nxxxx')
    assert.match(heard, /^HTTP\/1.1 200 OK\r\n/)
    assert.match(heard, /connection: close\r\n/i)
  })

  test('headers that are too long, or no HTTP, end the connection', async () => {
    const before = asked.length
    assert.equal(await dialogue(get('/x', `X: ${'y'.repeat(20_000)}\r\n`)), '')
    assert.equal(await dialogue('EHLO client.example\r\n'), '')
    assert.equal(asked.length, before)
  })

  test('one peer has only so many connections', async () => {
    const sockets = Array.from({ length: CONNECTIONS_PER_PEER_MAX }, open)
    await Promise.all(sockets.map((socket) => once(socket, 'secureConnect')))
    assert.equal(await dialogue(get('/x')), '')
    for (const socket of sockets) socket.destroy()
    await Promise.all(sockets.map((socket) => once(socket, 'close')))
    // the server hears of it a moment later
    while ((await dialogue(get('/x'))) === '');
  })

  test('and asks only so often a minute', async () => {
    clock.atMs += 60_000
    const keepAlive = 'GET /x HTTP/1.1\r\nHost: example.org\r\n\r\n'
    for (let sent = 0; sent < REQUESTS_PER_MINUTE_MAX; sent += 50)
      await dialogue(keepAlive.repeat(Math.min(50, REQUESTS_PER_MINUTE_MAX - sent) - 1) + get('/x'))
    assert.equal(answered.at(-1), 200)
    assert.match(await dialogue(get('/x')), /^HTTP\/1.1 429 /)
    clock.atMs += 60_000
    assert.match(await dialogue(get('/x')), /^HTTP\/1.1 200 /)
  })

  test('another certificate for connections from now on; what is none changes nothing', async () => {
    const fresh = await createTlsCertificate({ hosts: [HOST], nowMs: Date.now() })
    assert.throws(() => listener.setTls({ cert: 'nonsense', key: 'nonsense' }))
    const served = async (): Promise<string> => {
      const socket = connect({ host: '127.0.0.1', port: listener.address.port, rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      const { fingerprint256 } = socket.getPeerCertificate()
      socket.destroy()
      return fingerprint256
    }
    const old = await served()
    listener.setTls({ cert: fresh.certificatePem, key: fresh.keyPem })
    const now = await served()
    assert.notEqual(now, old)
    certificate = fresh.certificatePem
  })

  test('it stops although a client holds on', { timeout: 60_000 }, async () => {
    const silent = open()
    await once(silent, 'secureConnect')
    silent.on('error', () => undefined)
    silent.write('GET /x HTTP/1.1\r\n')
    await listener.stop()
    silent.destroy()
  })
})
