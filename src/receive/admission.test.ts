import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replyText } from '../protocol/smtp-reply.ts'
import { conductRefusal, connectRefusal, isLoopback, peerGroup } from './admission.ts'
import { RECEIVE_LIMITS } from './limits.ts'

const groups: readonly [address: string, group: string][] = [
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1:2:3:4', 'fe80:0:0:0::/64'],
]
for (const [address, group] of groups)
  test(`peers that count as one: ${address}`, () => assert.equal(peerGroup(address), group))

test('connections are limited in all and per peer', () => {
  const limits = { ...RECEIVE_LIMITS, connectionsMax: 10, connectionsPerPeerMax: 2 }
  assert.equal(connectRefusal(9, 1, limits), undefined)
  assert.match(replyText(connectRefusal(10, 0, limits) ?? assert.fail()), /^421 4\.3\.2/)
  assert.match(replyText(connectRefusal(9, 2, limits) ?? assert.fail()), /^421 4\.7\.0/)
})

test('patience ends with errors and with idle commands', () => {
  const limits = { ...RECEIVE_LIMITS, errorsMax: 3, idleCommandsMax: 5 }
  assert.equal(conductRefusal({ errors: 2, idleCommands: 4 }, limits), undefined)
  assert.match(replyText(conductRefusal({ errors: 3, idleCommands: 0 }, limits) ?? assert.fail()), /^421 4\.7\.0/)
  assert.match(replyText(conductRefusal({ errors: 0, idleCommands: 5 }, limits) ?? assert.fail()), /^421 4\.7\.0/)
})

test('loopback is 127/8 and ::1 only', () => {
  for (const yes of ['127.0.0.1', '127.9.9.9', '::1']) assert(isLoopback(yes), yes)
  for (const no of ['128.0.0.1', '127.0.0.1.example', '::', '::2', '10.127.0.1', '']) assert(!isLoopback(no), no)
})
