/** Addresses and lists of them: no throw, time bounded; what was read, written again, reads the same. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { fromLatin1, utf8 } from '../src/base/bytes.ts'
import {
  ADDRESS_BYTES_MAX,
  LOCAL_PART_BYTES_MAX,
  addressKey,
  domainOf,
  localPart,
  parseAddress,
  parseDomain,
  sameAddress,
} from '../src/message/address.ts'
import { fieldBody } from '../src/message/header-field.ts'
import { parseMailboxList } from '../src/message/mailbox-list.ts'
import { parsePart } from '../src/message/parse.ts'

const MS_MAX = 1_000

export function target(bytes: Uint8Array): void {
  const startMs = performance.now()
  const text = Buffer.from(bytes).toString('utf8')
  checkAddress(text)
  const domain = parseDomain(text)
  if (domain !== undefined) assert.equal(parseDomain(domain), domain)
  checkList(text)
  for (const field of parsePart(bytes).fields) checkList(fieldBody(field))
  assert(performance.now() - startMs < MS_MAX, 'too slow')
}

function checkAddress(text: string): void {
  const address = parseAddress(text)
  if (address === undefined) return
  assert.equal(parseAddress(address), address)
  assert.equal(`${localPart(address)}@${domainOf(address)}`, address)
  assert(Buffer.byteLength(address) <= ADDRESS_BYTES_MAX)
  assert(Buffer.byteLength(localPart(address)) <= LOCAL_PART_BYTES_MAX)
  assert(!/[\p{C}\p{Zl}\p{Zp}]/u.test(address))
  const key = parseAddress(addressKey(address))
  assert(key !== undefined && sameAddress(key, address))
}

function checkList(text: string): void {
  const list = parseMailboxList(text)
  if (!list.ok) return
  for (const { address } of list.value) {
    assert.equal(parseAddress(address), address)
    // never an address that was not written: its domain stands there, or is the A-label form of what does
    const domain = domainOf(address)
    assert(/xn--|[^\0-\x7f]/i.test(text) || domain.startsWith('[') || text.toLowerCase().includes(domain), address) // oxlint-disable-line no-control-regex
  }
  const written = list.value.map(({ address }) => `<${address}>`).join(', ')
  const again = parseMailboxList(written)
  assert(again.ok)
  assert.deepEqual(
    again.value.map(({ address }) => address),
    list.value.map(({ address }) => address),
  )
}

export function seeds(): Uint8Array[] {
  return [
    fromLatin1('T.Azuma@Biglobe.NE.jp'),
    fromLatin1('"a \\"b\\""@[IPv6:2001:db8::1]'),
    utf8('東@例え。jp'),
    fromLatin1('A B <a@b.example>, "C, D" <c@d.example>, e@f.example (comment (nested))'),
    fromLatin1('Group: a@b.example, =?utf-8?q?J=C3=B6rg?= <c@d.example>;, <@x,@y:z@w.example>'),
    fromLatin1('From: a@b.example <a@b.example>\r\nTo: undisclosed-recipients:;\r\nCc: (x) y (z) @ (v) w\r\n\r\n'),
  ]
}
