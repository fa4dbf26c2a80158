/** Signing in at a smarthost: our own submission, which lets nobody in without TLS and the right password. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { address, mail, pieces, BODY, deliver, paths, text } from '../../test/support/relay-bench.ts'
import { type ListenerName, PASSWORD, startTestSmtp } from '../../test/support/smtp-server.ts'
import { testTls } from '../../test/support/pop3-server.ts'

const USER = 't-azuma@biglobe.example'
const server = await startTestSmtp()
after(() => server.stop())
const own = testTls().certificatePem

const cases: readonly [
  at: ListenerName,
  password: string,
  anchors: readonly string[],
  expected: RegExp,
  events: readonly string[],
  why: string,
][] = [
  ['strict', PASSWORD, [own], /^250 /, [`loginSucceeded ${USER}`], 'the right password'],
  [
    'strict',
    'wrong',
    [own],
    /^451 4\.7\.8 .* as t-azuma@biglobe\.example: 535 /,
    [`loginFailed ${USER}`],
    'a wrong one',
  ],
  ['strict', PASSWORD, [], /^454 4\.7\.0 No TLS with/, [], 'nobody vouches for the certificate: nothing is said'],
  ['mx', PASSWORD, [own], /^451 4\.7\.0 .* lets nobody sign in/, [], 'a server that asks nobody'],
]
for (const [at, password, anchorsPem, expected, events, why] of cases)
  test(`smarthost: ${why}`, async () => {
    server.events.length = 0
    const before = server.mails.length
    const what = mail({ mailFrom: address(USER), recipients: paths(address('b@b.example')) })
    const [result] = await deliver(server.listeners[at].port, what, () => pieces(BODY, 100), {
      credentials: (host) => Promise.resolve(host === '127.0.0.1' ? { user: USER, password } : undefined),
      anchorsPem,
    })
    assert.match(text(result), expected)
    assert.ok(!text(result).includes(password) || password === 'wrong')
    assert.equal(result?.outcome, expected.source.startsWith('^250') ? 'delivered' : 'deferred')
    assert.equal(server.mails.length - before, result.outcome === 'delivered' ? 1 : 0)
    assert.deepEqual(
      server.events.filter((each) => each.startsWith('login')),
      events,
    )
  })

test('smarthost: a password that cannot be read sends nothing', async () => {
  const missing = new Error('no such file')
  await assert.rejects(
    deliver(server.listeners.strict.port, mail(), undefined, { credentials: () => Promise.reject(missing) }),
    missing,
  )
})
