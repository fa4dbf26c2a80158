/** Autocrypt fields, requests to the Web Key Directory and what comes of such: no throw, time bounded; what was read, written again, reads the same. */
import assert from 'node:assert/strict'
import { fromLatin1, latin1 } from '../src/base/bytes.ts'
import { fieldBody } from '../src/message/header-field.ts'
import { parsePart } from '../src/message/parse.ts'
import { autocryptOf, makeAutocrypt, parseAutocrypt } from '../src/protection/openpgp/autocrypt.ts'
import { readFound } from '../src/keys/found-keys.ts'
import { parseAddress } from '../src/message/address.ts'
import { readWkdRequest } from '../src/protocol/wkd.ts'

const ALICE = parseAddress('a@b.example')
const MS_MAX = 1_000

export function target(bytes: Uint8Array): void {
  const startMs = performance.now()
  const text = latin1(bytes)
  const parsed = parseAutocrypt(text)
  if (parsed.ok) assert.deepEqual(parseAutocrypt(fieldBody(makeAutocrypt(parsed.value))), parsed)
  const said = autocryptOf(parsePart(bytes))
  if (said !== undefined) assert(said.keyData.length > 0)
  assert(ALICE !== undefined)
  for (const { addresses } of readFound(bytes, ALICE)) assert.deepEqual(addresses, [ALICE])
  const [host = '', path = ''] = text.split('\n')
  const asked = readWkdRequest(host, path)
  if (asked?.kind === 'key') assert.match(asked.hash, /^[a-z1-9]{32}$/)
  assert(performance.now() - startMs < MS_MAX, 'too slow')
}

export function seeds(): Uint8Array[] {
  return [
    'addr=a@b.example; prefer-encrypt=mutual; _x=1; keydata=AAECAwQFBgc= ',
    'From: A <a@b.example>\r\nAutocrypt: addr=a@b.example; keydata=\r\n AAEC\r\n AwQF\r\nContent-Type: text/plain\r\n\r\n',
    'example.org\n/.well-known/openpgpkey/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe',
    'openpgpkey.example.org\n/.well-known/openpgpkey/example.org/policy',
  ].map(fromLatin1)
}
