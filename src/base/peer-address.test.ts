import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopback, peerGroup } from './peer-address.ts'

const groups: readonly [address: string, group: string, loopback: boolean][] = [
  ['192.0.2.1', '192.0.2.1', false],
  ['::ffff:192.0.2.1', '192.0.2.1', false],
  ['127.0.0.1', '127.0.0.1', true],
  ['127.9.9.9', '127.9.9.9', true],
  ['::ffff:127.0.0.1', '127.0.0.1', true],
  ['::1', '0:0:0:0::/64', true],
  ['1127.0.0.1', '1127.0.0.1', false],
  ['2001:db8::1', '2001:db8:0:0::/64', false],
  ['2001:db8::1:2:3:4:5', '2001:db8:0:1::/64', false],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', false],
  ['2001:db8:1:2::', '2001:db8:1:2::/64', false],
  ['fe80::1%eth0', 'fe80:0:0:0::/64', false],
  ['::', '0:0:0:0::/64', false],
]
for (const [address, group, loopback] of groups)
  test(`the peer ${address}`, () => {
    assert.equal(peerGroup(address), group)
    assert.equal(isLoopback(address), loopback)
  })
