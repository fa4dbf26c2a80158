/** LMTP to a mail store (RFC 2033): its own greeting, and after the data a reply for each recipient. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deliver, mail, OTHER, paths, pieces, text, THIRD, TO } from '../../test/support/relay-bench.ts'
import { DROP, startScriptedSmtp, type SmtpScript } from '../../test/support/scripted-smtp.ts'
import type { RecipientResult } from '../protocol/delivery.ts'
import { mailStoreIn } from './route.ts'

const three = mail({ recipients: paths(TO, OTHER, THIRD) })

async function deliverTo(script: SmtpScript): Promise<{ results: readonly RecipientResult[]; sessions: string[][] }> {
  await using store = await startScriptedSmtp({ ehlo: ['PIPELINING', '8BITMIME'], ...script })
  const results = await deliver(store.port, three, () => pieces('Subject: x\r\n\r\nhello\r\n', 1000), {
    protocol: 'lmtp',
  })
  return { results, sessions: store.sessions }
}

const outcomes = (results: readonly RecipientResult[]): string[] =>
  results.map((each) => `${each.outcome} ${text(each)}`)

const TOOK = '250 2.0.0 Saved'
const BUSY = '451 4.2.0 Busy'
const FULL = '552 5.2.2 Over quota'
const saved = 'delivered 250 2.0.0 Saved'

const cases: readonly [why: string, script: SmtpScript, expected: readonly (string | RegExp)[]][] = [
  [
    'each has a reply of its own',
    { end: [TOOK, BUSY, FULL].join('\r\n') },
    [saved, `deferred ${BUSY}`, `failed ${FULL}`],
  ],
  [
    'the last reply speaks for the last one only',
    { end: [FULL, FULL, TOOK].join('\r\n') },
    [`failed ${FULL}`, `failed ${FULL}`, saved],
  ],
  ['all refused', { end: [FULL, FULL, FULL].join('\r\n') }, [`failed ${FULL}`, `failed ${FULL}`, `failed ${FULL}`]],
  [
    'who was refused at RCPT has no reply after the data',
    { rcpt: (_line, nth) => (nth === 2 ? '550 5.1.1 Unknown' : '250 2.1.5 OK'), end: [TOOK, BUSY].join('\r\n') },
    [saved, 'failed 550 5.1.1 Unknown', `deferred ${BUSY}`],
  ],
  ['nobody is left after RCPT', { rcpt: '550 5.1.1 Unknown' }, Array(3).fill('failed 550 5.1.1 Unknown')],
  ['no reply at all', { end: DROP }, [/^deferred 451 4\.4\.2 /, /^deferred 451 4\.4\.2 /, /^deferred 451 4\.4\.2 /]],
  ['a reply that is none', { end: [TOOK, '999 what', TOOK].join('\r\n') }, [saved, /^deferred 451/, /^deferred 451/]],
]
for (const [why, script, expected] of cases)
  test(`LMTP: ${why}`, async () => {
    const { results, sessions } = await deliverTo(script)
    for (const [at, wanted] of expected.entries()) {
      const said = outcomes(results)[at] ?? ''
      if (typeof wanted === 'string') assert.equal(said, wanted)
      else assert.match(said, wanted)
    }
    assert.equal(sessions[0]?.[0], 'LHLO a.example')
  })

test('who has the mail keeps it when the session ends before the others are answered', async () => {
  await using store = await startScriptedSmtp({
    ehlo: ['8BITMIME'],
    end: () => {
      setTimeout(() => store.dropAll(), 50)
      return TOOK
    },
  })
  const results = await deliver(store.port, three, () => pieces('x: y\r\n\r\n', 100), { protocol: 'lmtp' })
  assert.deepEqual(
    results.map(({ outcome }) => outcome),
    ['delivered', 'deferred', 'deferred'],
  )
})

test('replies before the end of the data are not believed', async () => {
  await using store = await startScriptedSmtp({ midData: [TOOK, TOOK, TOOK].join('\r\n') })
  const unanswered = async function* (): AsyncGenerator<Uint8Array> {
    for (let left = 2000; left > 0; left--) {
      yield Buffer.from(`${'x'.repeat(998)}\r\n`)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const results = await deliver(store.port, three, unanswered, { protocol: 'lmtp' })
  assert(results.every(({ outcome }) => outcome === 'deferred'))
})

test('where a mail store is: a socket here, or host and port; and whether anybody else can listen', () => {
  const none = { lmtp: null, lmtpInClear: false, smtp: null, smtpInClear: false }
  const lmtp = (text: string): unknown => mailStoreIn({ ...none, lmtp: text })
  const smtp = (text: string): unknown => mailStoreIn({ ...none, smtp: text, lmtpInClear: true })
  const hop = (host: string, port: number): object => ({ hop: { host, port } })
  assert.equal(mailStoreIn(none), undefined)
  assert.deepEqual(lmtp('/run/Dovecot/lmtp'), { protocol: 'lmtp', mayBeRead: true, ...hop('/run/Dovecot/lmtp', 0) })
  assert.deepEqual(lmtp('192.0.2.1:24'), { protocol: 'lmtp', mayBeRead: false, ...hop('192.0.2.1', 24) })
  for (const here of ['localhost', '[::1]', '127.0.0.1', '127.9.9.9'])
    assert.deepEqual(smtp(here), { protocol: 'smtp', mayBeRead: true, ...hop(here.replaceAll(/[[\]]/g, ''), 25) })
  for (const far of ['192.0.2.1', '127.example.org', '[::2]', 'localhost.example'])
    assert.deepEqual(smtp(far), { protocol: 'smtp', mayBeRead: false, ...hop(far.replaceAll(/[[\]]/g, ''), 25) })
  const believed = mailStoreIn({ ...none, smtp: '192.0.2.1:2525', smtpInClear: true })
  assert.deepEqual(believed, { protocol: 'smtp', mayBeRead: true, ...hop('192.0.2.1', 2525) })
})
