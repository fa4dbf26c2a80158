import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { concatBytes, fromLatin1 } from '../../base/bytes.ts'
import { parseAddress } from '../../message/address.ts'
import { fieldBody, writeFields } from '../../message/header-field.ts'
import { parsePart } from '../../message/parse.ts'
import { PACKET, writePacket } from './packets/packet.ts'
import { KEY_DATA_MAX_BYTES, autocryptFields, autocryptOf, makeAutocrypt, parseAutocrypt } from './autocrypt.ts'

const KEY = 'AAEC'

describe('an Autocrypt field', () => {
  const cases: readonly [body: string, read: string, why: string][] = [
    [`addr=a@b.example; prefer-encrypt=mutual; keydata=${KEY}`, 'a@b.example mutual 000102', 'all there is'],
    [`addr=a@b.example; keydata=${KEY}`, 'a@b.example nopreference 000102', 'without a preference'],
    [`addr=a@b.example; prefer-encrypt=maybe; keydata=${KEY}`, 'a@b.example nopreference 000102', 'another word'],
    [`addr=a@b.example;keydata=\tAA EC`, 'a@b.example nopreference 000102', 'blanks of the folding'],
    [`addr=a@b.example; _monkey=1; keydata=${KEY}`, 'a@b.example nopreference 000102', 'more that is not critical'],
    [`addr=a@b.example; monkey=1; keydata=${KEY}`, 'monkey is critical and unknown', 'more that is critical'],
    [`addr=a@b.example; addr=c@b.example; keydata=${KEY}`, 'there are two addr', 'two addresses'],
    [`addr=a@b.example, c@b.example; keydata=${KEY}`, 'addr is no address', 'a list'],
    [`keydata=${KEY}`, 'addr is no address', 'no address'],
    ['addr=a@b.example', 'keydata is no base64', 'no key'],
    ['addr=a@b.example; keydata=A*B', 'keydata is no base64', 'no base64'],
    [`addr=a@b.example; keydata`, 'an attribute has no value', 'an attribute without a value'],
    [`addr=a@b.example; keydata=${'A'.repeat(2 * KEY_DATA_MAX_BYTES)}`, 'it is too long', 'too long'],
  ]
  for (const [body, read, why] of cases)
    test(why, () => {
      const parsed = parseAutocrypt(body)
      const shown = parsed.ok
        ? `${parsed.value.address} ${parsed.value.preferEncrypt} ${Buffer.from(parsed.value.keyData).toString('hex')}`
        : parsed.error
      assert.equal(shown, read)
    })
})

describe('the word of a mail on its author', () => {
  const mine = `Autocrypt: addr=A@b.example; keydata=${KEY}`
  const cases: readonly [header: string, address: string | undefined, why: string][] = [
    [`From: a@b.example\r\n${mine}`, 'A@b.example', 'one field'],
    [`From: c@b.example\r\n${mine}`, undefined, "somebody else's key"],
    [`From: a@b.example\r\n${mine}\r\n${mine}`, undefined, 'two fields'],
    [`From: a@b.example\r\n${mine}\r\nAutocrypt: addr=c@b.example; keydata=${KEY}`, 'A@b.example', 'one that counts'],
    [`From: a@b.example, c@b.example\r\n${mine}`, undefined, 'two authors'],
    [`From: a@b.example\r\nFrom: a@b.example\r\n${mine}`, undefined, 'two From fields'],
    [`From: a@b.example\r\nContent-Type: multipart/report; boundary=x\r\n${mine}`, undefined, 'a report'],
    [`From: a@b.example\r\nAutocrypt-Gossip: addr=a@b.example; keydata=${KEY}`, undefined, 'gossip'],
  ]
  for (const [header, address, why] of cases)
    test(why, () => assert.equal(autocryptOf(parsePart(fromLatin1(`${header}\r\n\r\n`)))?.address, address))
})

test('what is written is read again, in lines that every program takes', () => {
  const address = parseAddress('a@b.example')
  assert(address !== undefined)
  const written = { address, preferEncrypt: 'mutual', keyData: Uint8Array.from({ length: 3000 }, (_, i) => i) } as const
  const field = makeAutocrypt(written)
  assert.deepEqual(parseAutocrypt(fieldBody(field)), { ok: true, value: written })
  const lines = Buffer.from(writeFields([field]))
    .toString('latin1')
    .split('\r\n')
  assert(lines.length > 40 && lines.every((line) => line.length <= 78), String(Math.max(...lines.map((l) => l.length))))
})

describe('what goes out with a mail', () => {
  const cases: readonly [userId: string, keyBytes: number, fields: number, why: string][] = [
    ['Alice <a@b.example>', 100, 1, 'a key of the author'],
    ['Bob <b@b.example>', 100, 0, "somebody else's key"],
    ['Alice <a@b.example>', 10_000, 0, 'a key that is too large for a header'],
  ]
  for (const [userId, keyBytes, fields, why] of cases)
    test(why, () => {
      const author = parseAddress('a@b.example')
      assert(author !== undefined)
      const key = writePacket(PACKET.PUBLIC_KEY, new Uint8Array(keyBytes))
      const encoded = concatBytes([key, writePacket(PACKET.USER_ID, fromLatin1(userId))])
      const made = autocryptFields(encoded, author, 'mutual')
      assert.equal(made.length, fields)
      for (const field of made)
        assert.deepEqual(parseAutocrypt(fieldBody(field)), {
          ok: true,
          value: { address: author, preferEncrypt: 'mutual', keyData: Uint8Array.from(encoded) },
        })
    })
})
