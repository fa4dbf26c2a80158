import assert from 'node:assert/strict'
import { test } from 'node:test'
import { initialConfigText, withDataBeside } from './initial.ts'
import { parseConfig } from './load.ts'

test('what is written is read back', () => {
  const text = initialConfigText({
    domains: ['abc.com'],
    listeners: { mx: { port: 0 }, pop3: null },
    relay: { routes: { '*': '127.0.0.1:25' } },
  })
  const read = parseConfig(text, '/x/sealpost.yaml', {})
  assert.ok(read.ok)
  assert.deepEqual(read.value.listeners.mx, { host: '::', port: 0, proxyProtocol: [], trustedProxies: [] })
  assert.equal(read.value.listeners.pop3, null)
  assert.deepEqual({ ...read.value.relay.routes }, { '*': '127.0.0.1:25' })
})

test('a restored file finds its data beside it, and keeps its comments', () => {
  assert.equal(
    withDataBeside('# ours\ndomains: [abc.com] # both\ndataDir: /var/lib/x\n'),
    '# ours\ndomains: [ abc.com ] # both\ndataDir: .\n',
  )
  assert.equal(withDataBeside('domains:\n  - abc.com\n'), 'domains:\n  - abc.com\ndataDir: .\n')
})
