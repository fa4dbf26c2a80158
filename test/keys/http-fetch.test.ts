/** Fetching what certificates point to: limits of size, time and redirects, and no way to what is not public. */
import assert from 'node:assert/strict'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { type FetchRequest, createFetch } from '../../src/keys/http-fetch.ts'
import { isPublicAddress, networkList } from '../../src/keys/public-address.ts'
import { startScriptedDns } from '../support/scripted-dns.ts'

const SIZE_MAX_BYTES = 1000
/** How often the scripted name server looks at a row: for AAAA once, for A twice. */
const READ_PER_LOOK_UP = 3

describe('a fetch', () => {
  const server = createServer(serve)
  let hits = 0
  let origin = ''
  const allowed = networkList(['127.0.0.1/32'])

  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })

  function serve(request: IncomingMessage, response: ServerResponse): void {
    hits++
    const path = request.url ?? ''
    const send = (status: number, headers: Record<string, string>, body = ''): void =>
      void response.writeHead(status, headers).end(body)
    if (path.startsWith('/to?')) return send(302, { location: decodeURIComponent(path.slice(4)) })
    if (path === '/loop') return send(301, { location: '/loop' })
    if (path === '/large') return send(200, {}, 'x'.repeat(SIZE_MAX_BYTES + 1))
    if (path === '/drip') {
      response.writeHead(200)
      return void setInterval(() => response.write('x'), 20).unref()
    }
    if (path === '/endless') {
      response.writeHead(200)
      return void setInterval(() => response.write('x'.repeat(SIZE_MAX_BYTES)), 1).unref()
    }
    if (path === '/silent') return
    if (path === '/missing') return send(404, {}, 'no')
    if (path === '/created' || path === '/none') return send(path === '/none' ? 204 : 201, {})
    if (request.method === 'POST') return void request.pipe(response.writeHead(200))
    send(200, {}, 'body')
  }

  const fetchIt = async (request: Partial<FetchRequest>, timeoutMs = 5_000): Promise<string> => {
    const fetched = await createFetch({ allowed })(
      { url: `${origin}/`, sizeMaxBytes: SIZE_MAX_BYTES, ...request },
      AbortSignal.timeout(timeoutMs),
    )
    return fetched.ok ? `ok ${Buffer.from(fetched.value).toString()}` : fetched.error
  }

  const cases: readonly [path: string, outcome: string, why: string][] = [
    ['/', 'ok body', 'a body'],
    ['/to?/', 'ok body', 'a redirect'],
    ['/loop', 'it was sent on more than 3 times', 'a circle'],
    ['/large', 'it is larger than 1000 bytes', 'too large, and says so'],
    ['/endless', 'it is larger than 1000 bytes', 'too large, and says nothing'],
    ['/missing', 'the server answered 404', 'not there'],
    ['/to?http://127.0.0.2/', '127.0.0.2 is not on the public Internet', 'a redirect to a private address'],
    ['/to?http://[::1]/', '::1 is not on the public Internet', 'a redirect to a private IPv6 address'],
    ['/to?http://[::ffff:10.0.0.1]/', '::ffff:a00:1 is not on the public Internet', 'the same, mapped'],
    ['/to?http://2130706434/', '127.0.0.2 is not on the public Internet', 'the same as a number'],
    ['/to?ftp://example.org/', 'it is no http URL', 'a redirect to another protocol'],
    ['/to?file:///etc/passwd', 'it is no http URL', 'a redirect to a file'],
  ]
  for (const path of ['/created', '/none'])
    test(`${path}: an answer to a POST, and not to a GET`, async () => {
      const body = { type: 'a/b', bytes: Buffer.from('x') }
      assert.equal(await fetchIt({ url: `${origin}${path}`, body }), 'ok ')
      assert.match(await fetchIt({ url: `${origin}${path}` }), /the server answered 20[14]/)
    })

  for (const [path, outcome, why] of cases)
    test(why, async () => assert.equal(await fetchIt({ url: `${origin}${path}` }), outcome))

  test('a question by POST, and its answer', async () => {
    const body = { type: 'application/ocsp-request', bytes: Buffer.from('question') }
    assert.equal(await fetchIt({ body }), 'ok question')
    assert.equal(await fetchIt({ body, url: `${origin}/to?/` }), 'the server answered 302')
  })

  test('that there is nothing, where that is an answer', async () => {
    const asked = { url: `${origin}/missing`, emptyWhenAbsent: true }
    assert.equal(await fetchIt(asked), 'ok ')
    assert.equal(await fetchIt({ ...asked, url: `${origin}/to?/missing` }), 'ok ')
  })

  test('nothing without TLS, where that is demanded', async () => {
    const before = hits
    assert.equal(await fetchIt({ httpsOnly: true }), 'it is not protected by TLS')
    assert.equal(hits, before)
  })

  for (const path of ['/silent', '/drip'])
    test(`a server that is slow: ${path}`, async () => {
      assert.equal(await fetchIt({ url: `${origin}${path}` }, 200), 'it took too long')
    })

  test('what is refused without a connection', async () => {
    const before = hits
    const urls: readonly [url: string, outcome: string][] = [
      ['http://localhost:1/', 'localhost is not on the public Internet'],
      ['http://169.254.169.254/latest/meta-data/', '169.254.169.254 is not on the public Internet'],
      [origin.replace('http://', 'http://user:secret@'), 'the URL has a name or a password in it'],
      ['http://9.9.9.9:25/', 'port 25 is not one of the Web'],
      ['ldap://127.0.0.1/', 'it is no http URL'],
      ['nonsense', 'it is no http URL'],
    ]
    for (const [url, outcome] of urls) {
      // localhost has ::1 too, which is not allowed here, and 127.0.0.1, which is
      const found = await createFetch({ allowed: networkList([]) })(
        { url, sizeMaxBytes: 10 },
        AbortSignal.timeout(2000),
      )
      assert.equal(found.ok ? 'ok' : found.error, outcome)
    }
    assert.equal(hits, before)
  })

  test('a name that is public when asked for, and private when connected to', async () => {
    let asked = 0
    await using dns = await startScriptedDns({
      a: {
        get 'rebind.example'() {
          return [asked++ < READ_PER_LOOK_UP ? '9.9.9.9' : '127.0.0.1']
        },
      },
    })
    const before = hits
    const { port } = server.address() as AddressInfo
    const fetchPublic = createFetch({ allowed: networkList(['9.9.9.9/32']), resolver: dns.resolver })
    const found = await fetchPublic(
      { url: `http://rebind.example:${port}/`, sizeMaxBytes: SIZE_MAX_BYTES },
      AbortSignal.timeout(3000),
    )
    assert.deepEqual(found, { ok: false, error: 'rebind.example is not on the public Internet' })
    assert.equal(hits, before)
    assert.equal(asked, 2 * READ_PER_LOOK_UP)
  })
})

test('which addresses are public', () => {
  const cases: readonly [address: string, isPublic: boolean][] = [
    ['9.9.9.9', true],
    ['2620:fe::fe', true],
    ['10.1.2.3', false],
    ['100.64.0.1', false],
    ['127.0.0.1', false],
    ['169.254.169.254', false],
    ['172.31.255.255', false],
    ['172.32.0.1', true],
    ['192.168.1.1', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['0.0.0.0', false],
    ['::', false],
    ['::1', false],
    ['::ffff:9.9.9.9', false],
    ['64:ff9b::7f00:1', false],
    ['2001::1', false],
    ['2001:db8::1', false],
    ['2002:7f00:1::', false],
    ['fc00::1', false],
    ['fe80::1', false],
    ['ff02::1', false],
    ['example.org', false],
  ]
  for (const [address, isPublic] of cases) assert.equal(isPublicAddress(address), isPublic, address)
})
