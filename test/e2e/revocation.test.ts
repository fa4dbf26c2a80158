/**
 * A correspondent whose authority revokes: the server asks its OCSP responder or fetches its list over HTTP, both made by
 * the openssl program, while the sender's server waits for the reply.
 */
import assert from 'node:assert/strict'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { der, contextTagged, oid, sequence } from '../../src/protection/smime/asn1/der-writer.ts'
import { context } from '../../src/protection/smime/asn1/tlv.ts'
import { EXTENSION } from '../../src/protection/smime/x509/extensions.ts'
import { writeCertificatePem } from '../../src/protection/smime/key-files/pem.ts'
import { mailboxName, subjectAltName, writeExtension } from '../../src/protection/smime/x509/write-certificate.ts'
import { needs } from '../support/apt.ts'
import { type Fate, type OpensslAuthority, makeOpensslAuthority } from '../support/openssl-authority.ts'
import { protectedMail } from '../support/protected-mail.ts'
import { type Event, type Provider, makeProvider } from '../support/provider.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'
import type { Entity } from '../support/x509-maker.ts'

const READER = 'bob@abc.example'

describe('a certificate whose authority can be asked', needs('openssl', 'openssl'), () => {
  const authority: OpensslAuthority = makeOpensslAuthority(Date.now())
  const asked: string[] = []
  const web = createServer((request, response) => void serve(request, response))
  let origin = ''
  let password = ''
  let provider: Provider

  before(async () => {
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
    origin = `http://127.0.0.1:${(web.address() as AddressInfo).port}`
    provider = await makeProvider({
      domains: ['abc.example'],
      config: { fetch: { waitSeconds: 2, allowNetworks: ['127.0.0.1/32'] } },
    })
    const [added] = await provider.cli(['user', 'add', READER])
    password = added?.['password'] as string
    await provider.cli(['trust', 'add', '-'], writeCertificatePem(authority.root.certificate.encoded))
    await provider.start()
  })
  after(async () => {
    await provider.stop()
    await provider[Symbol.asyncDispose]()
    web.closeAllConnections()
    web.close()
    authority[Symbol.dispose]()
  })

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    asked.push(path)
    if (path === '/silent') return
    if (path.startsWith('/ocsp')) response.end(await authority.answer(await buffer(request), 'delegate'))
    else if (path.startsWith('/list')) response.end(await authority.crl())
    else if (path === '/forged') response.end(await authority.answer(await buffer(request), 'stranger'))
    else if (path === '/inside') response.writeHead(302, { location: 'http://127.0.0.2/list' }).end()
    else response.writeHead(404).end()
  }

  const uri = (path: string): Uint8Array => der(context(6), Buffer.from(`${origin}${path}`))
  const ocspAt = (path: string): Uint8Array =>
    writeExtension(EXTENSION.authorityInfoAccess, false, sequence(sequence(oid('1.3.6.1.5.5.7.48.1'), uri(path))))
  const listAt = (path: string): Uint8Array =>
    writeExtension(
      EXTENSION.crlDistributionPoints,
      false,
      sequence(sequence(contextTagged(0, contextTagged(0, uri(path))))),
    )

  function makeUser(name: string, fate: Fate, sources: readonly Uint8Array[]): Entity {
    const names = subjectAltName([mailboxName(`${name}@xyz.example`)], false)
    return authority.issue({ name, extensions: [names, ...sources] }, fate)
  }

  /** The reply of the server, its verdict, and how long both took. */
  async function send(name: string, signer: Entity): Promise<{ reply: string; verdict: Event; tookMs: number }> {
    const from = `${name}@xyz.example`
    const id = `<${name}.${Math.random()}@xyz.example>`
    const header = `From: ${from}\r\nTo: ${READER}\r\nSubject: Hello\r\nMessage-ID: ${id}\r\n`
    const message = protectedMail({ layering: 'sign', signer: { ...signer, chain: [] }, header, body: 'Hello\r\n' })
    const beganMs = performance.now()
    const reply = await sendUnauthenticated(provider.ports.mx, from, { to: [READER], message })
    const tookMs = performance.now() - beganMs
    return { reply, verdict: await provider.event('verdict', ({ messageId }) => messageId === id), tookMs }
  }

  const cases: readonly [name: string, fate: Fate, sources: () => Uint8Array[], signature: string, why: RegExp][] = [
    ['ocsp-good', 'good', () => [ocspAt('/ocsp')], 'valid', /^$/],
    ['ocsp-revoked', 'revoked', () => [ocspAt('/ocsp')], 'revoked', /has been revoked/],
    ['ocsp-unknown', 'unknown', () => [ocspAt('/ocsp')], 'valid', /nothing at hand tells/],
    ['list-good', 'good', () => [listAt('/list')], 'valid', /^$/],
    ['list-revoked', 'revoked', () => [listAt('/list?of=revoked')], 'revoked', /has been revoked/],
    ['both', 'revoked', () => [ocspAt('/missing'), listAt('/list?of=both')], 'revoked', /has been revoked/],
    ['forged', 'revoked', () => [ocspAt('/forged')], 'valid', /at hand does not tell/],
    ['missing', 'revoked', () => [ocspAt('/missing')], 'valid', /nothing at hand tells/],
    ['inside', 'revoked', () => [listAt('/inside')], 'valid', /nothing at hand tells/],
    ['none', 'revoked', () => [], 'valid', /^$/],
  ]
  for (const [name, fate, sources, signature, why] of cases)
    test(name, async () => {
      const { reply, verdict } = await send(name, makeUser(name, fate, sources()))
      assert.equal(verdict['signature'], signature)
      assert.match((verdict['why'] ?? '') as string, why)
      assert.match(reply, signature === 'revoked' ? /^550 5\.7\.1 The signing certificate is revoked/ : /^250/)
    })

  test('a responder that does not answer keeps the mail waiting no longer than configured', async () => {
    const { reply, tookMs, verdict } = await send('silent', makeUser('silent', 'good', [ocspAt('/silent')]))
    assert.match(reply, /^250/)
    assert.match(verdict['why'] as string, /nothing at hand tells/)
    assert.ok(tookMs > 1_500 && tookMs < 5_000, `${tookMs} ms`)
  })

  test('what was fetched is kept: the second mail asks nobody, and neither does one after a restart', async () => {
    const user = makeUser('again', 'good', [ocspAt('/ocsp')])
    const before = asked.length
    await send('again', user)
    assert.equal(asked.length, before + 1)
    const { verdict } = await send('again', user)
    assert.deepEqual([verdict['signature'], verdict['why']], ['valid', undefined])
    await provider.stop()
    await provider.start()
    await send('again', user)
    assert.equal(asked.length, before + 1)
  })

  test('`require` believes nobody of whom nothing is known; `off` asks nobody', async () => {
    await provider.stop()
    await provider.configure({ policy: { revocation: 'require' } })
    await provider.start()
    const found = async (name: string, fate: Fate, path: string): Promise<unknown> =>
      (await send(name, makeUser(name, fate, [ocspAt(path)]))).verdict['signature']
    assert.equal(await found('r-good', 'good', '/ocsp'), 'valid')
    assert.equal(await found('r-missing', 'good', '/missing'), 'untrusted')
    assert.equal(await found('r-revoked', 'revoked', '/ocsp'), 'revoked')
    await provider.stop()
    await provider.configure({ policy: { revocation: 'off' } })
    await provider.start()
    const before = asked.length
    assert.equal(await found('o-revoked', 'revoked', '/ocsp'), 'valid')
    assert.equal(asked.length, before)
  })

  test('mail is not encrypted to a certificate that its authority has revoked', async () => {
    const user = (name: string, fate: Fate): Entity => makeUser(name, fate, [ocspAt(`/ocsp?${name}`)])
    await send('w-good', user('w-good', 'good')) // `off` still: both certificates are kept as believed
    await send('w-revoked', user('w-revoked', 'revoked'))
    await provider.stop()
    await provider.configure({ policy: { revocation: 'prefer' } })
    await provider.start()
    const to = ['w-good@xyz.example', 'w-revoked@xyz.example']
    const message = `From: ${READER}\r\nTo: ${to.join(', ')}\r\nSubject: Hello\r\n\r\nHello\r\n`
    const { reply } = await submit({ port: provider.ports.submission, user: READER, password, to, message })
    assert.match(reply, /encrypted and signed for 1; only signed for w-revoked@xyz\.example/)
  })

  test('nor, under `require`, to one of which nobody says whether it is revoked: the sender is told, nothing goes in clear', async () => {
    const restart = async (revocation: string): Promise<void> => {
      await provider.stop()
      await provider.configure({ policy: { revocation } })
      await provider.start()
    }
    await restart('off')
    await send('u-missing', makeUser('u-missing', 'good', [ocspAt('/missing?u')]))
    await restart('require')
    const to = ['u-missing@xyz.example']
    const message = `From: ${READER}\r\nTo: ${to[0]}\r\nSubject: Hello\r\n\r\nHello\r\n`
    const { reply } = await submit({ port: provider.ports.submission, user: READER, password, to, message })
    assert.match(reply, /^554 5\.7\.5 .*u-missing@xyz\.example.*revoked/)
    assert.deepEqual(await provider.cli(['queue', 'list']), [])
  })
})
