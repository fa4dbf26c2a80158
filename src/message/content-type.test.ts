import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuMs } from '../../test/support/cpu-time.ts'
import { fromLatin1, utf8 } from '../base/bytes.ts'
import { contentTypeOf, dispositionOf, transferEncodingOf } from './content-type.ts'
import { parseStructured } from './parameters.ts'
import { parsePart } from './parse.ts'

const headed = (header: string): ReturnType<typeof parsePart> => parsePart(utf8(`${header}\r\n\r\n`))

const types: readonly [body: string, type: string, parameters: Record<string, string>, broken: boolean, why: string][] =
  [
    ['text/plain', 'text/plain', {}, false, 'a type alone'],
    ['Multipart/SIGNED; Boundary=AbC', 'multipart/signed', { boundary: 'AbC' }, false, 'case counts in values only'],
    ['text/plain; charset="utf-8"', 'text/plain', { charset: 'utf-8' }, false, 'a quoted string'],
    ['a/b; c="x\\"y\\\\z;"', 'a/b', { c: 'x"y\\z;' }, false, 'escapes and a semicolon in quotes'],
    ['a/b; c=""', 'a/b', { c: '' }, false, 'an empty quoted string'],
    ['text/plain; charset=us-ascii (Plain)', 'text/plain', { charset: 'us-ascii' }, false, 'a comment (RFC 2045 §5.1)'],
    ['text (a) / (b;c=d) plain (e); (f) c (g) = (h) d', 'text/plain', { c: 'd' }, false, 'comments everywhere'],
    ['text/plain ; charset = us-ascii ; x=y', 'text/plain', { charset: 'us-ascii', x: 'y' }, false, 'blanks'],
    ['text/plain;', 'text/plain', {}, false, 'a semicolon too many'],
    ['a/b;c=d;;e=f', 'a/b', { c: 'd', e: 'f' }, true, 'two semicolons'],
    [
      'multipart/mixed; boundary=----=_Part_1',
      'multipart/mixed',
      { boundary: '----=_Part_1' },
      true,
      'tspecials unquoted',
    ],
    ['a/b; name=a file.txt; c=d', 'a/b', { name: 'a file.txt', c: 'd' }, true, 'blanks unquoted'],
    ['a/b; c="d', 'a/b', { c: 'd' }, true, 'open quotes'],
    ['a/b; c=d e=f; g=h', 'a/b', { c: 'd', e: 'f', g: 'h' }, true, 'a semicolon missing'],
    ['a/b; c="d" e="f"', 'a/b', { c: 'd', e: 'f' }, true, 'a semicolon missing after quotes'],
    ['a/b; c="d" e; f=g', 'a/b', { c: 'd', f: 'g' }, true, 'text after the quotes'],
    ['a/b; c', 'a/b', {}, true, 'an attribute without a value'],
    ['a/b; c=', 'a/b', { c: '' }, true, 'an empty value'],
    ['a/b; =c; d=e', 'a/b', { d: 'e' }, true, 'a value without an attribute'],
    ['a/b c=d', 'a/b', { c: 'd' }, true, 'no semicolon'],
    ['a/b !', 'a/b', {}, true, 'anything else after the type'],
    ['a/b @@@', 'a/b', {}, true, 'no word after the type'],
    ['a/b; c=d (e', 'a/b', { c: 'd' }, true, 'open comment'],
    ['a/b; boundary=1; boundary=2', 'a/b', { boundary: '1' }, true, 'twice: the first counts'],
    ['', 'text/plain', { charset: 'us-ascii' }, true, 'empty (RFC 2045 §5.2)'],
    ['text', 'text/plain', { charset: 'us-ascii' }, true, 'no subtype'],
    ['/plain', 'text/plain', { charset: 'us-ascii' }, true, 'no type'],
    ['text/', 'text/plain', { charset: 'us-ascii' }, true, 'nothing after the slash'],
    ['a/b/c', 'text/plain', { charset: 'us-ascii' }, true, 'two slashes'],
    ['"text/html"', 'text/plain', { charset: 'us-ascii' }, true, 'quotes'],
    ["a/b; t*=us-ascii'en'This%20is%20%2A", 'a/b', { t: 'This is *' }, false, 'charset and language (RFC 2231 §4)'],
    ['a/b; u*0="x://"; u*1="y"', 'a/b', { u: 'x://y' }, false, 'continued (RFC 2231 §3)'],
    ['a/b; t*0*=utf-8\'\'a%C3; t*1*=%BC; t*2="%20"', 'a/b', { t: 'aü%20' }, false, 'both (RFC 2231 §4.1)'],
    ['a/b; u*1=y; u*0=x', 'a/b', { u: 'xy' }, false, 'in any order'],
    ['a/b; boundary*0=x; boundary*2=y', 'a/b', {}, true, 'a section is missing'],
    ['a/b; boundary*1=y', 'a/b', {}, true, 'the first section is missing'],
    ['a/b; u*0=x; u*0=y', 'a/b', { u: 'x' }, true, 'a section twice'],
    ["a/b; t*=x-none''a", 'a/b', {}, true, 'a charset that nobody knows'],
    ['a/b; t*=abc', 'a/b', {}, true, 'no charset'],
    [
      "a/b; boundary=x; boundary*=utf-8''y",
      'a/b',
      { boundary: 'y' },
      true,
      'two boundaries that contradict each other',
    ],
    ["a/b; filename=x; filename*=utf-8''%C3%BC", 'a/b', { filename: 'ü' }, false, 'a file name for old readers'],
  ]
for (const [body, type, parameters, broken, why] of types)
  test(`Content-Type: ${why}`, () => {
    const found = contentTypeOf(headed(`Content-Type: ${body}`))
    assert.equal(found.type, type)
    assert.deepEqual(Object.fromEntries(found.parameters), parameters)
    assert.deepEqual(found.defects, broken ? ['bad-content-type'] : [])
  })

test('no Content-Type: text/plain, or what the multipart says', () => {
  assert.equal(contentTypeOf(headed('A: b')).type, 'text/plain')
  assert.deepEqual(contentTypeOf(headed('A: b')).defects, [])
  assert.equal(contentTypeOf({ ...headed('A: b'), defaultType: 'message/rfc822' }).type, 'message/rfc822')
})

const files: readonly [header: string, disposition: string | undefined, filename: string | undefined][] = [
  ['Content-Disposition: attachment; filename=a.txt', 'attachment', 'a.txt'],
  ['Content-Disposition: INLINE', 'inline', undefined],
  ['Content-Disposition: attachment\r\nContent-Type: a/b; name="b.txt"', 'attachment', 'b.txt'],
  ['Content-Disposition: attachment; filename="=?utf-8?q?=C3=BC.txt?="', 'attachment', 'ü.txt'],
  ['Content-Disposition: attachment; filename="grün.txt"', 'attachment', 'grün.txt'],
  ['Content-Disposition: a/b', undefined, undefined],
  ['Content-Disposition: "x"', undefined, undefined],
  ['Content-Type: a/b; name=c', undefined, 'c'],
  ['A: b', undefined, undefined],
]
for (const [header, disposition, filename] of files)
  test(header.replace('\r\n', ' '), () => assert.deepEqual(dispositionOf(headed(header)), { disposition, filename }))

const encodings: readonly [body: string, encoding: string][] = [
  ['base64', 'base64'],
  [' BASE64 (x)', 'base64'],
  ['Quoted-Printable', 'quoted-printable'],
  ['8BIT', '8bit'],
  ['binary', 'binary'],
  ['x-uuencode', 'unknown'],
  ['', 'unknown'],
  ['base64 base64', 'base64'],
]
for (const [body, encoding] of encodings)
  test(`Content-Transfer-Encoding: ${body}`, () =>
    assert.equal(transferEncodingOf(headed(`Content-Transfer-Encoding: ${body}`)), encoding))

test('hostile parameters take linear time', () => {
  for (const piece of ['(', ';(', ';', '"', '\\', ';a', ';a=', ';a="', ';a=b(', ';a*0=b', '/', 'a ', "'"]) {
    assert.ok(cpuMs(() => parseStructured(`a/b;${piece.repeat(500_000 / piece.length)}`)) < 2_000, piece)
  }
})

test('any bytes are read without a throw', () => {
  for (let octet = 0; octet < 256; octet++)
    contentTypeOf(
      parsePart(fromLatin1(`Content-Type: a/b; c=${String.fromCharCode(octet)}d; e="${String.fromCharCode(octet)}"`)),
    )
})
