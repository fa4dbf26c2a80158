import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../base/bytes.ts'
import { RIGHT_FOR_MS, RightPasswords } from './right-passwords.ts'

test('a password that was right is known for its hash alone, and for ten minutes', () => {
  let nowMs = 5
  const right = new RightPasswords(() => nowMs)
  right.add(utf8('correct horse'), '$argon2id$1')
  assert.equal(right.has(utf8('correct horse'), '$argon2id$1'), true)
  assert.equal(right.has(utf8('correct hors'), '$argon2id$1'), false)
  assert.equal(right.has(utf8('correct horse'), '$argon2id$2'), false, 'the password was changed, or is another user')
  nowMs += RIGHT_FOR_MS
  assert.equal(right.has(utf8('correct horse'), '$argon2id$1'), false)
})

test('what makes hash and password one text does not make them one entry', () => {
  const right = new RightPasswords()
  right.add(utf8('b'), 'ha')
  assert.equal(right.has(utf8('ab'), 'h'), false)
})
