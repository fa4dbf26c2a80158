import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { addressKey, domainOf, localPart, parseAddress, parseDomain, sameAddress } from './address.ts'

const long = (count: number): string => 'x'.repeat(count)
const labels = (count: number): string => `${long(61)}.`.repeat(count)

const addresses: readonly [text: string, address: string | undefined, why: string][] = [
  ['a@b.example', 'a@b.example', 'plain'],
  ['T.Azuma+tag@Biglobe.NE.jp', 'T.Azuma+tag@biglobe.ne.jp', 'the domain in lower case, the local part as written'],
  ["!#$%&'*+-/=?^_`{|}~@b", "!#$%&'*+-/=?^_`{|}~@b", 'every atext (RFC 5322 §3.2.3)'],
  ['"a"@b', 'a@b', 'quotes go where they are not needed'],
  ['"a\\b"@b', 'ab@b', 'and so do backslashes'],
  ['"a b"@b', '"a b"@b', 'quotes stay where they are needed'],
  ['"a..b"@b', '"a..b"@b', 'two dots in quotes'],
  ['"a@b"@c', '"a@b"@c', '@ in quotes'],
  ['"\\"\\\\\\x"@c', '"\\"\\\\x"@c', 'escapes only where needed'],
  ['""@b', '""@b', 'an empty quoted string'],
  ['ü@bücher.example', 'ü@xn--bcher-kva.example', 'UTF-8 (RFC 6531)'],
  ['東@例え。jp', '東@xn--r8jz45g.jp', 'ideographic full stop'],
  ['a@[192.0.2.1]', 'a@[192.0.2.1]', 'IPv4 literal'],
  ['a@[ipv6:2001:DB8:0::1]', 'a@[IPv6:2001:db8::1]', 'IPv6 literal in one spelling'],
  ['a@localhost', 'a@localhost', 'a single label'],
  [`${long(64)}@b`, `${long(64)}@b`, 'local part of 64 (RFC 5321 §4.5.3.1.1)'],
  [`${long(65)}@b`, undefined, 'local part of 65'],
  [`${'ü'.repeat(33)}@b`, undefined, 'octets count, not characters'],
  [`a@${labels(4)}abc`, `a@${labels(4)}abc`, 'long domain'],
  [`${long(64)}@${labels(4)}abc`, undefined, 'longer than a path can be'],
  [`a@${long(64)}.b`, undefined, 'label of 64'],
  ['a..b@c', undefined, 'two dots'],
  ['.a@c', undefined, 'leading dot'],
  ['a.@c', undefined, 'trailing dot'],
  ['a b@c', undefined, 'blank'],
  [' a@c', undefined, 'leading blank'],
  ['a@c ', undefined, 'trailing blank'],
  ['<a@c>', undefined, 'angle brackets'],
  ['a(x)@c', undefined, 'comment'],
  ['@x:a@c', undefined, 'route'],
  ['a@b@c', undefined, 'two @'],
  ['@c', undefined, 'no local part'],
  ['a@', undefined, 'no domain'],
  ['a', undefined, 'no @'],
  ['', undefined, 'nothing'],
  ['"a@c', undefined, 'open quote'],
  ['"a\\"@c', undefined, 'escaped closing quote'],
  ['"a"b@c', undefined, 'text after the quotes'],
  ['"a\tb"@c', undefined, 'tab in quotes (RFC 5321 §4.1.2)'],
  ['"a\r\nb"@c', undefined, 'line end in quotes'],
  ['a\0@c', undefined, 'NUL'],
  ['"a\0"@c', undefined, 'NUL in quotes'],
  ['a@b\0', undefined, 'NUL in the domain'],
  ['a\u00a0b@c', undefined, 'no-break space'],
  ['a\u200b@c', undefined, 'zero width space'],
  ['a\u202eb@c', undefined, 'right-to-left override'],
  ['a\ud800@c', undefined, 'half a character'],
  ['=?utf-8?q?a=40b?=@c', undefined, 'an encoded word'],
  ['"=?utf-8?q?a=40b?="@c', undefined, 'an encoded word in quotes'],
  ['a@1.2.3.4', undefined, 'IPv4 without brackets'],
  ['a@[1.2.3]', undefined, 'short IPv4'],
  ['a@[2001:db8::1]', undefined, 'IPv6 without its tag'],
  ['a@[IPv6:fe80::1%eth0]', undefined, 'IPv6 with a zone'],
  ['a@[x:y]', undefined, 'any other literal'],
]
for (const [text, address, why] of addresses) test(`address: ${why}`, () => assert.equal(parseAddress(text), address))

const domains: readonly [text: string, domain: string | undefined][] = [
  ['B.Example', 'b.example'],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['faß.de', 'xn--fa-hia.de'],
  ['BÜCHER.example', 'xn--bcher-kva.example'],
  ['b.example.', undefined],
  ['.b', undefined],
  ['a..b', undefined],
  ['-a.b', undefined],
  ['a-.b', undefined],
  ['a_b.c', undefined],
  ['a%41.com', undefined],
  ['ü%41.com', undefined],
  ['ü/x.com', undefined],
  ['ü:25', undefined],
  ['℀.com', undefined],
  ['0x7f.1', undefined],
  ['１.２.３.４', undefined],
  ['[192.0.2.1]', undefined],
  ['a b', undefined],
  ['a@b', undefined],
  [labels(4) + long(10), undefined],
]
for (const [text, domain] of domains) test(`domain: ${text}`, () => assert.equal(parseDomain(text), domain))

const known = (text: string): NonNullable<ReturnType<typeof parseAddress>> => parseAddress(text) ?? assert.fail(text)

test('an address in its two halves', () => {
  const address = known('"a@b"@C.example')
  assert.equal(localPart(address), '"a@b"')
  assert.equal(domainOf(address), 'c.example')
  assert.equal(domainOf(known('a@[192.0.2.1]')), '[192.0.2.1]')
})

const pairs: readonly [a: string, b: string, same: boolean][] = [
  ['a@b', 'a@b', true],
  ['Taro@b.jp', 'taro@B.JP', true],
  ['"taro"@b', 'TARO@b', true],
  ['"A b"@c', '"a b"@c', true],
  ['e\u0301@b', '\u00e9@b', true],
  ['É@b', 'é@b', false],
  ['\u212a@b', 'k@b', true], // KELVIN SIGN is K in form C
  ['\u0131@b', 'i@b', false], // dotless i
  ['a@b', 'a@c', false],
  ['a+x@b', 'a@b', false],
  ['a.b@c', 'ab@c', false],
]
for (const [a, b, same] of pairs)
  test(`${a} ${same ? '=' : '≠'} ${b}`, () => assert.equal(sameAddress(known(a), known(b)), same))

test('an address reads back as itself, and its key too', () => {
  const char = fc.constantFrom('a', 'B', '.', '"', '\\', ' ', '@', 'ü', '-', '(', '<')
  const text = fc.tuple(
    fc.string({ unit: char, maxLength: 12, size: 'max' }),
    fc.constantFrom('b', 'B.c', 'ü.d', '[192.0.2.1]'),
  )
  fc.assert(
    fc.property(text, fc.boolean(), ([local, domain], quoted) => {
      const address = parseAddress(`${quoted ? `"${local}"` : local}@${domain}`)
      if (address === undefined) return
      assert.equal(parseAddress(address), address)
      assert.ok(sameAddress(known(addressKey(address)), address))
    }),
  )
})
