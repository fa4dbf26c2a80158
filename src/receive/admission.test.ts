import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replyText } from '../protocol/smtp-reply.ts'
import { conductRefusal, connectRefusal } from './admission.ts'
import { RECEIVE_LIMITS } from './limits.ts'

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
