import assert from 'node:assert/strict'
import { createSecretKey } from 'node:crypto'
import { test } from 'node:test'
import { openMasterKey, sealMasterKey } from './sealed-master-key.ts'

const BYTES = Buffer.alloc(32, 7)
const masterKey = { id: 'x', key: createSecretKey(BYTES) }

test('the password opens it, however its letters are composed; another does not', async () => {
  const text = await sealMasterKey(masterKey, 'Schlüsselbund 42')
  assert.doesNotMatch(text, new RegExp(BYTES.toString('base64').slice(0, 20)))
  assert.deepEqual(await openMasterKey(text, 'Schlu\u0308sselbund 42'), { ok: true, value: BYTES })
  assert.deepEqual(await openMasterKey(text, 'Schlüsselbund 43'), { ok: false, error: 'the password is wrong' })
})

test('what was changed or is none does not open', async () => {
  const text = await sealMasterKey(masterKey, 'a password of some length')
  const [format = '', encoded = ''] = text.trim().split(' ')
  const bytes = Buffer.from(encoded, 'base64')
  bytes[40] = (bytes[40] ?? 0) ^ 1
  const cases = [`${format} ${bytes.toString('base64')}`, `${format} ${encoded.slice(4)}`, `other ${encoded}`, '']
  for (const changed of cases) assert.equal((await openMasterKey(changed, 'a password of some length')).ok, false)
})
