import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry } from 'ldapts'
import { SourceDown } from '../user-source.ts'
import { entryIdIn } from './entry-id.ts'

const UUID = '597ae2f6-16a6-1027-98f4-d28b5365dc14'
const GUID = Buffer.from('f6e27a59a6162710f498d28b5365dc14', 'hex')

const cases: readonly [attributes: Omit<Entry, 'dn'>, asked: string, entryId: string | undefined, why: string][] = [
  [{ entryUUID: UUID }, 'entryUUID', UUID, 'the example of RFC 4530'],
  [{ entryuuid: UUID.toUpperCase() }, 'entryUUID', UUID, 'a UUID in capitals, under a name in small letters'],
  [{ objectGUID: GUID }, 'objectGUID', GUID.toString('hex'), 'octets'],
  [
    { objectGUID: GUID.toString('latin1').slice(0, 1) + '\u0001' },
    'objectGUID',
    'c3b601',
    'octets that happen to be UTF-8',
  ],
  [{ nsUniqueId: 'Ab-12' }, 'nsUniqueId', 'Ab-12', 'other text, as it is'],
  [{ entryUUID: [] }, 'entryUUID', undefined, 'an attribute that the library has put there'],
  [{ entryUUID: '' }, 'entryUUID', undefined, 'an empty one'],
  [{ mail: 'a@example.org' }, 'entryUUID', undefined, 'none'],
]
for (const [attributes, asked, entryId, why] of cases)
  test(why, () => assert.equal(entryIdIn({ dn: 'uid=a', ...attributes }, asked), entryId))

test('what names no single entry is not guessed at', () => {
  for (const value of [[UUID, UUID], 'a'.repeat(129)])
    assert.throws(() => entryIdIn({ dn: 'uid=a', entryUUID: value }, 'entryUUID'), SourceDown)
})
