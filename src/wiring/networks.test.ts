import assert from 'node:assert/strict'
import { test } from 'node:test'
import { within } from './networks.ts'

test('an address is looked for in the networks of now', () => {
  let networks: readonly string[] | undefined
  const trusted = within(() => networks)
  assert.equal(trusted('192.0.2.1'), false)
  networks = ['192.0.2.0/24', '2001:db8::/32']
  assert.deepEqual(['192.0.2.1', '2001:db8::1', '198.51.100.1'].map(trusted), [true, true, false])
  networks = ['198.51.100.0/24']
  assert.deepEqual(['192.0.2.1', '198.51.100.1'].map(trusted), [false, true])
})
