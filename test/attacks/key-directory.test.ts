/**
 * What a Web Key Directory may do to who asks it: send the question elsewhere (SSRF by redirect), hand out a key that is
 * somebody else's, or answer without end. A real HTTPS server, the product's own client; only the port is another.
 */
import assert from 'node:assert/strict'
import { type IncomingMessage, type ServerResponse, createServer as createHttp } from 'node:http'
import { type Server, createServer } from 'node:https'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { after, before, describe, test } from 'node:test'
import { generateKey, readKey } from 'openpgp'
import { concatBytes } from '../../src/base/bytes.ts'
import { createTlsCertificate } from '../../src/keys/certificate-authority.ts'
import { readFound } from '../../src/keys/found-keys.ts'
import { createLookUp } from '../../src/keys/host-names.ts'
import { createFetch } from '../../src/keys/http-fetch.ts'
import { KEYS_MAX_BYTES, type KeySource, keySources } from '../../src/keys/key-sources.ts'
import { networkList } from '../../src/keys/public-address.ts'
import { parseAddress } from '../../src/message/address.ts'
import { PACKET, readPackets, writePacket } from '../../src/protection/openpgp/packets/packet.ts'
import { type ScriptedDns, startScriptedDns } from '../support/scripted-dns.ts'

const ALICE = parseAddress('alice@example.org')
const ADVANCED = 'openpgpkey.example.org'

async function keyOf(...emails: readonly string[]): Promise<Uint8Array> {
  const { publicKey } = await generateKey({ userIDs: emails.map((email) => ({ email })), format: 'object' })
  return publicKey.write()
}

const [alices, mallorys, both] = await Promise.all([
  keyOf('alice@example.org'),
  keyOf('mallory@evil.example'),
  keyOf('mallory@evil.example', 'alice@example.org'),
])
const armored = (await readKey({ binaryKey: alices })).armor()

/** Mallory's key with Alice's User ID instead of the own one, and one of the signatures that belong to it. */
function grafted(signature: 'hers' | 'his' | 'none'): Uint8Array {
  const [primary] = readPackets(mallorys)
  const [, userId, hers] = readPackets(alices)
  const [, , his] = readPackets(mallorys)
  const packets = [primary, userId, { hers, his, none: undefined }[signature]]
  return concatBytes(packets.flatMap((packet) => (packet === undefined ? [] : [writePacket(packet.type, packet.body)])))
}

describe('a Web Key Directory that attacks', () => {
  let answer: (request: IncomingMessage, response: ServerResponse) => void = () => undefined
  let hits: string[] = []
  let source: KeySource
  let port = 0
  const usual = getCACertificates()
  const servers: NetServer[] = []
  let dns: ScriptedDns

  before(async () => {
    const [tls, wrongName] = await Promise.all([
      createTlsCertificate({ hosts: [ADVANCED, 'example.org', '127.0.0.2'], nowMs: Date.now() }),
      createTlsCertificate({ hosts: ['another.example'], nowMs: Date.now() }),
    ])
    setDefaultCACertificates([...usual, tls.certificatePem, wrongName.certificatePem])
    const options = { cert: tls.certificatePem, key: tls.keyPem }
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      hits.push(`${request.socket.localAddress} ${request.headers.host?.split(':')[0]}`)
      answer(request, response)
    }
    const listen = async (server: Server | ReturnType<typeof createHttp>, host: string, at = 0): Promise<number> => {
      servers.push(server)
      await new Promise<void>((resolve) => server.listen(at, host, resolve))
      return (server.address() as AddressInfo).port
    }
    port = await listen(createServer(options, serve), '127.0.0.1')
    await listen(createServer(options, serve), '127.0.0.2', port)
    await listen(createServer({ cert: wrongName.certificatePem, key: wrongName.keyPem }, serve), '127.0.0.3', port)
    await listen(createHttp(serve), '127.0.0.4', port)
    dns = await startScriptedDns({
      a: {
        [ADVANCED]: ['127.0.0.1'],
        'inside.example': ['127.0.0.2'],
        'openpgpkey.impostor.example': ['127.0.0.3'],
        'impostor.example': ['127.0.0.1'],
        'plain.example': ['127.0.0.4'],
      },
    })
    const fetch = createFetch({
      allowed: networkList(['127.0.0.1/32', '127.0.0.3/32', '127.0.0.4/32']),
      resolver: dns.resolver,
    })
    const [wkd] = keySources(
      { dns: false, wkd: true, vks: [], hkp: [] },
      {
        fetch: (request, signal) => {
          const url = new URL(request.url)
          url.port = String(port)
          return fetch({ ...request, url: url.href }, signal)
        },
        lookUp: createLookUp(dns.resolver),
        askDns: () => assert.fail('the name server has no keys here'),
        read: readFound,
      },
    )
    assert(wkd !== undefined)
    source = wkd
  })
  after(async () => {
    setDefaultCACertificates(usual)
    for (const server of servers) {
      if ('closeAllConnections' in server) (server as Server).closeAllConnections()
      server.close()
    }
    await dns[Symbol.asyncDispose]()
  })

  /** Addresses of the keys that were believed, or why there is none. */
  async function ask(who = ALICE): Promise<string> {
    hits = []
    assert(who !== undefined)
    const answered = await source.ask(who, AbortSignal.timeout(8_000))
    if (!answered.ok) return answered.error
    return source
      .read(answered.value, who)
      .map(({ addresses }) => addresses.join('+') || 'a key for nobody')
      .join(' ')
  }

  const body =
    (bytes: Uint8Array | string, type = 'application/octet-stream'): typeof answer =>
    (_request, response) =>
      void response.writeHead(200, { 'content-type': type }).end(bytes)

  const honest: readonly [bytes: Uint8Array | string, type: string, why: string][] = [
    [alices, 'application/octet-stream', 'as it should'],
    [armored, 'text/plain', 'armored, and called a text'],
    [`<pre>\n${armored}\n</pre>`, 'text/html', 'armored, in a page'],
    [concatBytes([mallorys, alices]), 'image/png', "behind somebody else's"],
    [both, 'application/pgp-keys', 'with another address, which is left out'],
  ]
  for (const [bytes, type, why] of honest)
    test(`one that only answers oddly: ${why}`, async () => {
      answer = body(bytes, type)
      assert.equal(await ask(), 'alice@example.org')
    })

  const foreign: readonly [bytes: Uint8Array | string, why: string][] = [
    [mallorys, "somebody else's key"],
    [grafted('none'), "somebody else's key with Alice's User ID"],
    [grafted('hers'), "somebody else's key with Alice's User ID and her own signature on it"],
    [grafted('his'), "somebody else's key with Alice's User ID under a signature for another"],
    ['<html>not found</html>', 'a page'],
    ['', 'nothing'],
    [alices.subarray(0, 100), 'a part of a key'],
    [writePacket(PACKET.USER_ID, Buffer.from('alice@example.org')), 'a User ID without a key'],
  ]
  for (const [bytes, why] of foreign)
    test(`no key comes of ${why}`, async () => {
      answer = body(bytes)
      assert.equal(await ask(), '')
    })

  const redirects: readonly [to: () => string, outcome: RegExp, why: string][] = [
    [() => `https://inside.example:${port}/`, /^inside.example is not on the public Internet$/, 'a host inside'],
    [() => `https://127.0.0.2:${port}/`, /^127.0.0.2 is not on the public Internet$/, 'an address inside'],
    [() => 'https://169.254.169.254/latest/meta-data/', /is not on the public Internet$/, "the cloud's own"],
    [() => `http://plain.example:${port}/`, /^it is not protected by TLS$/, 'no TLS'],
    [() => 'file:///etc/passwd', /^it is no http URL$/, 'a file'],
  ]
  for (const [to, outcome, why] of redirects)
    test(`it cannot send the question elsewhere: ${why}`, async () => {
      answer = (_request, response) => void response.writeHead(302, { location: to() }).end()
      assert.match(await ask(), outcome)
      assert.deepEqual(hits, [`127.0.0.1 ${ADVANCED}`])
    })

  test('a server without a certificate for its name is not heard, and no other is asked instead', async () => {
    answer = body(alices)
    const outcome = await ask(parseAddress('alice@impostor.example'))
    assert.match(outcome, /altnames|certificate/i)
    assert.deepEqual(hits, [])
  })

  test('an answer without end is cut', async () => {
    answer = (_request, response) => {
      const chunk = Buffer.alloc(64 * 1024)
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    }
    assert.equal(await ask(), `it is larger than ${KEYS_MAX_BYTES} bytes`)
  })
})
