import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LiveConfig } from './live.ts'
import { type Config, parseConfig } from './load.ts'

function configOf(text: string): Config {
  const parsed = parseConfig(text, '/etc/sealpost.yaml', {})
  assert(parsed.ok)
  return parsed.value
}

test('a reload takes over policy and routes, and names what needs a restart', () => {
  const live = new LiveConfig(configOf('domains: [a.example]\n'))
  const next = configOf(
    'domains: [a.example, b.example]\npolicy: { noKey: require }\nrelay: { routes: { "c.example": "127.0.0.1:25" } }\n',
  )
  assert.deepEqual(live.replace(next), { changed: ['relay', 'policy'], afterRestart: ['domains'] })
  assert.equal(live.current.policy.noKey, 'require')
  assert.deepEqual(live.current.relay.routes, { 'c.example': '127.0.0.1:25' })
  assert.deepEqual(live.current.domains, ['a.example'])
})

test('limits, queue and what is kept for how long count at once, threads from the next start', () => {
  const live = new LiveConfig(configOf('domains: [a.example]\n'))
  const next = configOf(
    'domains: [a.example]\nlimits: { perMinute: { mailsPerUser: 7 } }\nqueue: { runningMax: 3 }\nprotection: { threads: 9 }\n',
  )
  assert.deepEqual(live.replace(next), { changed: ['queue', 'limits'], afterRestart: ['protection'] })
  assert.equal(live.current.limits.perMinute.mailsPerUser, 7)
  assert.equal(live.current.queue.runningMax, 3)
  assert.equal(live.current.protection.threads, 0)
})

test('a reload of an unchanged file changes nothing', () => {
  const live = new LiveConfig(configOf('domains: [a.example]\n'))
  assert.deepEqual(live.replace(configOf('domains: [a.example]\n')), { changed: [], afterRestart: [] })
})

test('whose word counts is taken over at a reload; a listener elsewhere waits for a restart', () => {
  const live = new LiveConfig(configOf('domains: [a.example]\nlisteners: { pop3: null }\n'))
  const next = configOf(`domains: [a.example]
listeners:
  mx: { port: 2525, proxyProtocol: [192.0.2.1/32], trustedProxies: [192.0.2.2/32] }
  pop3: { proxyProtocol: [192.0.2.1/32] }
  pop3s: { proxyProtocol: [192.0.2.1/32] }
submission: { trustedNetworks: [192.0.2.3/32], allowPlainAuthOnLoopback: true }
`)
  const names = ['listeners', 'submission']
  const { changed, afterRestart } = live.replace(next)
  assert.deepEqual([changed.toSorted(), afterRestart.toSorted()], [names, names])
  const { listeners, submission } = live.current
  const { port, proxyProtocol, trustedProxies } = listeners.mx ?? {}
  assert.deepEqual([port, proxyProtocol, trustedProxies], [25, ['192.0.2.1/32'], ['192.0.2.2/32']])
  assert.deepEqual([listeners.pop3, listeners.pop3s?.proxyProtocol], [null, ['192.0.2.1/32']])
  assert.deepEqual(submission.trustedNetworks, next.submission.trustedNetworks)
  assert.equal(submission.allowPlainAuthOnLoopback, false)
})
