import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuMs } from '../../test/support/cpu-time.ts'
import * as fc from 'fast-check'
import { MAILBOXES_MAX, parseMailboxList } from './mailbox-list.ts'

const right: readonly [text: string, expected: readonly [name: string, address: string][], why: string][] = [
  ['a@b', [['', 'a@b']], 'address alone'],
  ['<a@b>', [['', 'a@b']], 'brackets alone'],
  ['A B <a@b>', [['A B', 'a@b']], 'a name'],
  ['a@b <A@B>', [['', 'A@b']], 'its own address for a name'],
  ['"A, B" <a@b>', [['A, B', 'a@b']], 'a quoted name'],
  ['"A \\"B\\"" <a@b>', [['A "B"', 'a@b']], 'escapes in a quoted name'],
  ['"a@x"<a@b>', [['a@x', 'a@b']], 'an address in a quoted name is only a name'],
  ['John Q. Public <a@b>', [['John Q. Public', 'a@b']], 'dots in a name (RFC 5322 §4.1)'],
  ['東 <a@b>', [['東', 'a@b']], 'UTF-8 (RFC 6532)'],
  ['=?utf-8?q?J=C3=B6rg?= =?utf-8?q?_M?= <a@b>', [['Jörg M', 'a@b']], 'encoded words (RFC 2047 §6.2)'],
  ['=?ISO-2022-JP?B?GyRCRWwbKEI=?= <a@b>', [['東', 'a@b']], 'ISO-2022-JP'],
  ['"=?utf-8?q?J?=" <a@b>', [['=?utf-8?q?J?=', 'a@b']], 'no encoded words within quotes (RFC 2047 §5)'],
  ['=?x-none?q?J?= <a@b>', [['=?x-none?q?J?=', 'a@b']], 'a charset that nobody knows'],
  ['=?utf-8?q?a=40b?= <a@b>', [['a@b', 'a@b']], "an encoded word with the mailbox's own address"],
  ['=?utf-8?q?me_=40_work?= <a@b>', [['me @ work', 'a@b']], 'an @ that makes no address'],
  [
    'a@b, C <c@d>,\te@f',
    [
      ['', 'a@b'],
      ['C', 'c@d'],
      ['', 'e@f'],
    ],
    'several',
  ],
  [
    'a@b,, c@d,',
    [
      ['', 'a@b'],
      ['', 'c@d'],
    ],
    'empty members (RFC 5322 §4.4)',
  ],
  [
    'G: a@b, C <c@d>;',
    [
      ['', 'a@b'],
      ['C', 'c@d'],
    ],
    'a group',
  ],
  ['undisclosed-recipients:;', [], 'an empty group'],
  ['G:;, a@b', [['', 'a@b']], 'a group and an address'],
  ['', [], 'nothing'],
  [' (only a comment) ', [], 'nothing but a comment'],
  ['<@x,@y:a@b>', [['', 'a@b']], 'a route (RFC 5322 §4.4)'],
  ['a@b (A)', [['', 'a@b']], 'a comment'],
  ['(c (d) \\) e) a (f) @ (g) b', [['', 'a@b']], 'comments everywhere'],
  ['a@b (A@B)', [['', 'a@b']], "a comment with the mailbox's own address"],
  ['"a b"@c', [['', '"a b"@c']], 'a quoted local part'],
  ['a@[192.0.2.1]', [['', 'a@[192.0.2.1]']], 'an address literal'],
]
for (const [text, expected, why] of right)
  test(`right: ${why}`, () => {
    const list = parseMailboxList(text)
    assert.deepEqual(list.ok && list.value.map(({ name, address }) => [name, address]), expected)
  })

const wrong: readonly [text: string, why: string][] = [
  ['a@b@c', 'two @'],
  ['a@b <c@d>', 'an unquoted address for a name'],
  ['a@b c@d', 'no comma'],
  ['a@b; c@d', 'a semicolon outside a group'],
  ['a@b <a@b> <a@b>', 'three times the same'],
  ['a@b a@b', 'twice, without brackets'],
  ['"a@b"@c', 'an @ in the quoted local part'],
  ['=?utf-8?q?a=40b.example?= <c@d>', "somebody else's address in an encoded word"],
  ['=?utf-8?b?PGFAYj4=?= <c@d>', 'brackets in an encoded word'],
  ['=?utf-8?q?a=00b?= <c@d>', 'NUL in an encoded word'],
  ['=?utf-8?q?a=0D=0ABcc:_x?= <c@d>', 'a line end in an encoded word'],
  ['=?utf-8?q?a=40b.example?=', 'an encoded word only'],
  ['=?utf-8?q?a?=@b', 'an encoded word as the local part'],
  ['a@=?utf-8?q?b?=', 'an encoded word as the domain'],
  ['a@b (c@d)', "somebody else's address in a comment"],
  ['a@b (=?utf-8?q?c=40d?=)', "somebody else's address, encoded, in a comment"],
  ['a@b (c', 'open comment'],
  ['a@b c)', 'closed comment'],
  [`a@b ${'('.repeat(30)}${')'.repeat(30)}`, 'comments too deep'],
  ['"a <c@d>', 'open quote'],
  ['"a\\" <c@d>', 'escaped closing quote'],
  ['a@[1.2.3.4', 'open bracket'],
  ['<a@b', 'open angle bracket'],
  ['a@b>', 'closing angle bracket'],
  ['<<a@b>>', 'angle brackets twice'],
  ['<>', 'null address'],
  ['A <>', 'null address with a name'],
  ['<a@b> c', 'text after the address'],
  ['a', 'no address'],
  ['a b@c', 'two words before @'],
  ['a . b@c', 'blanks around a dot'],
  ['a."b"@c', 'half quoted'],
  ['a..b@c', 'two dots'],
  ['a@b .c', 'blank in the domain'],
  ['a\\@b@c', 'backslash outside quotes'],
  ['a\0@b', 'NUL'],
  ['a@b\r\nBcc: c@d', 'line end'],
  ['a@b\n', 'bare LF'],
  ['a\x7f <a@b>', 'DEL'],
  ['a\x80 <a@b>', 'C1 control'],
  ['G: a@b', 'group not closed'],
  ['G: H: a@b;;', 'group in a group'],
  [': a@b;', 'group without a name'],
  ['@b', 'no local part'],
  ['<@x,@y a@b>', 'a route without its colon'],
  ['a@b_c', 'no domain'],
  ['a@b,'.repeat(MAILBOXES_MAX + 1), 'too many'],
]
for (const [text, why] of wrong) test(`wrong: ${why}`, () => assert.equal(parseMailboxList(text).ok, false))

test('any text: no throw, and every address stands in the text', () => {
  const piece = fc.constantFrom('a', '@', 'b', '<', '>', ',', ' ', '"', '(', ')', ':', ';', '.', '\\', '=?utf-8?q?x?=')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 15, size: 'max' }), (pieces) => {
      const list = parseMailboxList(pieces.join(''))
      if (list.ok) for (const { address } of list.value) assert.match(address, /^.+@.+$/s)
    }),
  )
})

test('hostile lists take linear time', () => {
  for (const piece of ['(', '"', '"\\', '=?', '=?a?q?', 'a ', '<', '@', '[', ',', ':', '=?a?q?x?= ', '(a@b)']) {
    assert.ok(cpuMs(() => parseMailboxList(piece.repeat(300_000 / piece.length))) < 2_000, piece)
  }
})
