import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDnsClient } from './dns-client.ts'

test('a name server that the network does not lead to is a trouble of the answer, not of the program', async () => {
  const ask = createDnsClient({ server: '255.255.255.255' }) // nobody may connect to the broadcast address
  const answer = await ask('abc.com', 'MX')
  assert.equal(answer.kind, 'trouble')
})
