import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../base/bytes.ts'
import { parsePart } from '../message/parse.ts'
import { authorOf } from './author.ts'
import { cautionsAbout } from './look-alike.ts'

const fieldsOf = (header: string) => parsePart(utf8(`${header}\r\n\r\n`)).fields

const authors: readonly [header: string, author: string | RegExp, why: string][] = [
  ['From: a@b.example', 'a@b.example', 'one address'],
  ['from: A <a@b.example>', 'a@b.example', 'a name, and the field in lower case'],
  ['From : a@b.example', 'a@b.example', 'a blank before the colon, which readers accept (RFC 5322 §4.5)'],
  ['From: "a b"@c.example', '"a b"@c.example', 'a quoted local part'],
  ['From: G: a@b.example;', 'a@b.example', 'a group of one (RFC 6854)'],
  ['From: <@x.example,@y.example:a@b.example>', 'a@b.example', 'a route, which is nobody (RFC 5322 §4.4)'],
  ['From: a@BÜCHER.example', 'a@xn--bcher-kva.example', 'U-labels and A-labels are one domain (RFC 5890 §2.3.2.1)'],
  ['From: 東@b.example', '東@b.example', 'a local part in UTF-8 (RFC 6531)'],
  ['From: a@b.example\r\nSender: c@d.example', 'a@b.example', 'who sends it is not who wrote it'],
  ['Sender: a@b.example', /no From/, 'no From'],
  ['From: a@b.example\r\nFrom: a@b.example', /several From/, 'two fields, even when they say the same'],
  ['From: a@b.example\r\nfrom : c@d.example', /several From/, 'two fields in two spellings'],
  ['From: a@b.example, c@d.example\r\nSender: a@b.example', /2 authors/, 'two authors, whoever sent it'],
  ['From: G:;', /0 authors/, 'nobody'],
  ['From:', /0 authors/, 'nothing'],
  ['From: a@b.example <c@d.example>', /two addresses/, 'an address as the name of another'],
  ['From: <a@b.example> <c@d.example>', /cannot be read/, 'two brackets'],
  ['From: a@b.example (c@d.example)', /comment/, 'another address in a comment'],
  ['From: =?utf-8?q?c=40d=2Eexample?= <a@b.example>', /encoded word/, 'another address in an encoded word'],
  ['From: =?utf-8?q?c=40d=2Eexample=3E_=3C?= <a@b.example>', /encoded word/, 'brackets in an encoded word'],
  ['From: =?utf-8?q?c=40d.example=00?=@b.example', /cannot be read/, 'an encoded word as local part'],
  ['From: a@b.example\0@c.example', /control/, 'NUL'],
  ['From: a@b.example\r@c.example', /control/, 'a lone CR'],
  ['From: "a@b.example" @c.example', /second @/, 'an address as local part'],
  ['From: a@b.example@c.example', /cannot be read/, 'two at signs'],
  ['From: a\\@b.example@c.example', /cannot be read/, 'an escaped at sign'],
  ['From: a..b @c.example', /cannot be read/, 'dots that no local part has'],
]
for (const [header, expected, why] of authors)
  test(`author: ${why}`, () => {
    const author = authorOf({ fields: fieldsOf(header) })
    if (typeof expected === 'string') assert.deepEqual(author, { address: expected })
    else assert.match('problem' in author ? author.problem : `no problem: ${author.address}`, expected)
  })

const cautions: readonly [header: string, caution: RegExp | undefined, why: string][] = [
  ['From: A <a@b.example>', undefined, 'a name'],
  ['From: "a@b.example" <A@B.example>', undefined, 'its own address'],
  ['From: "a@bücher.example" <a@xn--bcher-kva.example>', undefined, 'its own address, in U-labels'],
  ['From: "boss@bank.example" <a@b.example>', /shows boss@bank\.example/, 'another address in quotes'],
  ['From: "BOSS＠bank.example" <a@b.example>', /shows boss@bank\.example/, 'a full-width at sign'],
  ['From: "=?utf-8?q?boss=40bank=2Eexample?=" <a@b.example>', /shows boss@/, 'an encoded word in quotes'],
  ['From: "boss@bank.example": a@b.example;', /shows boss@bank\.example/, 'the name of a group'],
  ['From: "moc.knab@ssob \u202e" <a@b.example>', /direction-changing/, 'right to left'],
  ['From: "Bo\u200bss" <a@b.example>', /invisible/, 'a blank without width'],
  ['From: "👩‍👩‍👧" <a@b.example>', undefined, 'a joiner in an emoji'],
  ['From: a@bаnk.example', /several scripts/, 'a Cyrillic letter among Latin ones'],
  ['From: bоss@bank.example', /several scripts/, 'the same in the local part'],
  ['From: a@аррӏе.com', /look like Latin/, 'Cyrillic letters that are all drawn like Latin ones'],
  ['From: a@пример.com', undefined, 'Russian'],
  ['From: a@пример.рф', undefined, 'Russian throughout'],
  ['From: a@日本のmail.example', undefined, 'Japanese with Latin letters (UTS #39)'],
  ['From: a@한국mail.example', undefined, 'Korean with Latin letters'],
  ['From: a@b.example\r\nSender: A@b.example', undefined, 'Sender is the author'],
  ['From: a@b.example\r\nSender: c@d.example', /Sender names c@d\.example/, 'Sender is somebody else'],
  ['From: a@b.example\r\nSender: <c@d.example', /Sender cannot be read/, 'Sender is nothing'],
  ['From: a@b.example, "boss@bank.example" <c@d.example>', undefined, 'two authors: no signature counts'],
]
for (const [header, caution, why] of cautions)
  test(`caution: ${why}`, () => {
    const found = cautionsAbout(fieldsOf(header))
    if (caution === undefined) assert.deepEqual(found, [])
    else assert.match(found.join(' '), caution)
  })
