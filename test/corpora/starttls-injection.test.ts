/**
 * The SMTP servers of "Why TLS is better without STARTTLS" (Poddebniak and others, USENIX Security 2021), as next hops of
 * our relay: whatever they say before TLS, nothing that needs TLS is said outside it, and nothing is believed delivered
 * that they did not take. The study ran them against mail programs; a relay that signs in at a smarthost is one.
 */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CORPORA } from '../support/corpora.ts'
import { testTls } from '../support/pop3-server.ts'
import { BODY, deliver, mail, pieces, text } from '../support/relay-bench.ts'
import { HANG, startScriptedSmtp, type SmtpScript, type ScriptedSmtp } from '../support/scripted-smtp.ts'
import { RELAY_TIMEOUTS, type RelayTimeouts } from '../../src/relay/timeouts.ts'

const FOLDER = join(CORPORA, 'starttls-injection/fake-mail-server/testcases/smtp')
const FILES_MIN = 55
const PASSWORD = 'a password of the smarthost'
const QUICK: RelayTimeouts = { ...RELAY_TIMEOUTS, greetingMs: 300, helloMs: 300, commandMs: 300 }
const { certificatePem: cert, keyPem: key } = testTls()

const skip = existsSync(FOLDER) ? false : 'no corpora'
const files = skip === false ? globSync('**/*.ron', { cwd: FOLDER }).toSorted() : []

test('the servers are there', { skip }, () => assert(files.length >= FILES_MIN, `${files.length} files`))

for (const file of files)
  test(`${file}: TLS demanded, with a password to keep`, async () => {
    const script = scriptOf(readFileSync(join(FOLDER, file), 'utf8'))
    await using server = await startScriptedSmtp(script)
    const [result] = await toSmarthost(server)
    const clear = Buffer.concat(server.received.clear).toString('latin1')
    assert.doesNotMatch(clear, /AUTH|MAIL|RCPT|DATA/i, text(result))
    assert.notEqual(result?.outcome, 'delivered') // none of them lets anybody sign in
  })

for (const file of files)
  test(`${file}: TLS used when it is offered`, async () => {
    const script = scriptOf(readFileSync(join(FOLDER, file), 'utf8'))
    await using server = await startScriptedSmtp(script)
    const [result] = await deliver(server.port, mail({ sealed: false }), () => pieces(BODY, 100), { timeouts: QUICK })
    assert.equal(result?.outcome === 'delivered', server.taken.length === 1, text(result))
    const began = server.sessions.flat().includes('STARTTLS') && (script.starttls ?? '220').startsWith('220')
    if (began) assert.doesNotMatch(Buffer.concat(server.received.clear).toString('latin1'), /MAIL|RCPT|DATA/)
  })

/** Buffering/B_1.ron tells to uncomment these two, one after the other. */
const injected = '220 Ready to start TLS\r\n250-example.org\r\n250 AUTH LOGIN'
for (const [ehloOverTls, why] of [
  [['AUTH PLAIN'], 'the answer that is injected is not taken for the one inside TLS'],
  [{ step: HANG }, 'nor is it when no other comes'],
] as const)
  test(`a capability injected behind the 220: ${why}`, async () => {
    await using server = await startScriptedSmtp({
      ehlo: ['STARTTLS'],
      starttls: injected,
      ehloOverTls,
      tls: { cert, key },
    })
    const [result] = await toSmarthost(server)
    assert.notEqual(result?.outcome, 'delivered')
    const overTls = Buffer.concat(server.received.overTls).toString('latin1')
    assert.match(overTls, /^EHLO /, text(result))
    assert.doesNotMatch(overTls, /AUTH LOGIN|MAIL/)
  })

/** Signs in with a name and a password, over TLS to a proven host, or not at all. */
const toSmarthost = ({ port }: ScriptedSmtp) =>
  deliver(port, mail({ sealed: false }), () => pieces(BODY, 100), {
    credentials: () => Promise.resolve({ user: 'us', password: PASSWORD }),
    anchorsPem: [cert],
    timeouts: QUICK,
  })

/** Of the file's RON what concerns a client that sends. */
function scriptOf(ron: string): SmtpScript {
  const text = ron.replaceAll(/\/\/[^\n]*/g, '')
  const said = new Map(
    Array.from(text.matchAll(/"?(\w+)"?:\s*"((?:[^"\\]|\\.)*)"/g), ([, name = '', reply = '']) => [
      name.toLowerCase(),
      unescaped(reply),
    ]),
  )
  const step = (name: string): string | undefined => said.get(name)
  const capabilities = /capabilities:\s*\[(.*?)\]\s*,\s*\n/s.exec(text)?.[1] ?? ''
  const hidden = /hide_commands:\s*\[([^\]]*)\]/.exec(text)?.[1] ?? ''
  const ehlo = hidden.includes('ehlo') ? '502 Command not implemented' : step('ehlo')
  const starttls = step('stls_response') ?? step('starttls')
  return {
    ehlo: ehlo === undefined ? keywordsOf(capabilities) : { step: ehlo },
    ehloOverTls: ['AUTH PLAIN LOGIN'],
    tls: { cert, key },
    ...optional('greeting', step('greeting')),
    ...optional('helo', step('helo')),
    ...optional('starttls', starttls),
    ...optional('rset', step('rset')),
    ...optional('quit', step('quit')),
  }
}

function keywordsOf(capabilities: string): string[] {
  const mechanisms = Array.from(
    capabilities.matchAll(/Other\("([^"]*)"\)|\b(Plain|Login)\b/g),
    ([, other, own]) => other ?? own,
  )
  return [
    ...(capabilities.includes('StartTLS') ? ['STARTTLS'] : []),
    ...(mechanisms.length > 0 ? [`AUTH ${mechanisms.join(' ').toUpperCase()}`] : []),
  ]
}

const optional = <Name extends string>(name: Name, value: string | undefined): { readonly [_ in Name]?: string } =>
  value === undefined ? {} : ({ [name]: value } as { readonly [_ in Name]: string })

const unescaped = (reply: string): string => reply.replaceAll('\\r\\n', '\r\n').replace(/\r\n$/, '')
