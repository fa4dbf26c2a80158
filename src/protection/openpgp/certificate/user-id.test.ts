import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fromLatin1, utf8 } from '../../../base/bytes.ts'
import { userIdAddress } from './user-id.ts'

describe('the address in a User ID', () => {
  const cases: readonly [userId: string, address: string | undefined, why: string][] = [
    ['Alice <alice@a.example>', 'alice@a.example', 'a name before it'],
    ['alice@a.example', 'alice@a.example', 'alone'],
    ['<alice@a.example>', 'alice@a.example', 'alone in brackets'],
    ['Alice (work) <alice@A.Example>', 'alice@a.example', 'with a comment'],
    ['Älice <alice@ä.example>', 'alice@xn--4ca.example', 'beyond ASCII'],
    ['Alice', undefined, 'only a name'],
    ['', undefined, 'nothing'],
    ['bob@b.example <alice@a.example>', undefined, 'another one in the name'],
    ['alice@a.example <alice@a.example>', 'alice@a.example', 'the same one in the name'],
    ['<bob@b.example> <alice@a.example>', undefined, 'two in brackets'],
    ['Alice <alice@a.example> (old)', undefined, 'something behind it'],
    ['Alice <alice@a.example', undefined, 'no closing bracket'],
    ['Alice <alice@a.example, bob@b.example>', undefined, 'a list'],
    ['Alice\u001b[2J <alice@a.example>', undefined, 'a control character in the name'],
    ['Alice\u202e <alice@a.example>', undefined, 'a name that turns what follows around'],
  ]
  for (const [userId, address, why] of cases) test(why, () => assert.equal(userIdAddress(utf8(userId)), address))

  test('what is no UTF-8', () => assert.equal(userIdAddress(fromLatin1('\u00c4 <alice@a.example>')), undefined))
})
