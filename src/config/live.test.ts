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
