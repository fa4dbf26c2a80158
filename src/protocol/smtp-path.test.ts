import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDomain } from '../message/address.ts'
import { decodeXtext, encodeXtext, parseMailArgument, parseRcptArgument, postmasterOf } from './smtp-path.ts'
import { replyText } from './smtp-reply.ts'

const own = parseDomain('abc.example')
assert(own !== undefined)
const postmaster = postmasterOf(own)

const mails: readonly [argument: string, address: string, why: string][] = [
  ['FROM:<>', '', 'null reverse-path (RFC 5321 §4.5.5)'],
  ['FROM:<a@b.example> SIZE=1', 'a@b.example', 'parameters follow the path (RFC 5321 §4.1.1.2)'],
  ['from:<a@b.example>', 'a@b.example', 'keywords in any case (RFC 5321 §2.4)'],
  ['FROM:<a@b.example>  ', 'a@b.example', 'blanks at the end (RFC 5321 §4.1.1)'],
  ['FROM:<@x.example,@y.example:a@b.example>', 'a@b.example', 'source route ignored (RFC 5321 appendix C)'],
  ['FROM:<"a b>c"@b.example>', '"a b>c"@b.example', 'quoted local part'],
  ['FROM:<a@[192.0.2.1]>', 'a@[192.0.2.1]', 'address literal'],
  ['FROM:<ü@b.example> SMTPUTF8', 'ü@b.example', 'UTF-8 with SMTPUTF8 (RFC 6531)'],
  ['FROM:<a@bücher.example> SMTPUTF8', 'a@xn--bcher-kva.example', 'a domain in U-labels'],
]
for (const [argument, address, why] of mails)
  test(`MAIL: ${why}`, () => {
    const parsed = parseMailArgument(argument)
    assert(parsed.ok)
    assert.equal(parsed.value.reversePath.address, address)
  })

const badMails: readonly [argument: string, reply: RegExp, why: string][] = [
  ['FROM: <a@b.example>', /^501 5\.1\.7/, 'no space after the colon (RFC 5321 §3.3)'],
  ['FROM :<a@b.example>', /^501 5\.1\.7/, 'no space before the colon'],
  ['FROM:a@b.example', /^501 5\.1\.7/, 'no angle brackets'],
  ['FROM:<a@b.example', /^501 5\.1\.7/, 'not closed'],
  ['FROM:<a@b.example>SIZE=1', /^501 5\.1\.7/, 'no space before a parameter'],
  ['FROM:<a@b.example><c@d.example>', /^501 5\.1\.7/, 'two paths'],
  ['FROM:<"a@b.example>', /^501 5\.1\.7/, 'quotes not closed'],
  ['FROM:<a@b@c.example>', /^501 5\.1\.7/, 'two @'],
  ['FROM:<a>', /^501 5\.1\.7/, 'no domain'],
  ['FROM:< >', /^501 5\.1\.7/, 'a blank'],
  [`FROM:<${'a'.repeat(65)}@b.example>`, /^501 5\.1\.7/, 'local part too long'],
  ['TO:<a@b.example>', /^501 5\.1\.7/, 'another word'],
  ['', /^501 5\.1\.7/, 'nothing'],
  ['FROM:<ü@b.example>', /^550 5\.6\.7/, 'UTF-8 without SMTPUTF8 (RFC 6531 §3.5)'],
  ['FROM:<a@b.example> SIZE=', /^501 5\.5\.4/, 'SIZE without value'],
  ['FROM:<a@b.example> SIZE', /^501 5\.5\.4/, 'SIZE without value'],
  ['FROM:<a@b.example> SIZE=-1', /^501 5\.5\.4/, 'a negative SIZE'],
  ['FROM:<a@b.example> SIZE=123456789012345678901', /^501 5\.5\.4/, 'SIZE of 21 digits'],
  ['FROM:<a@b.example> SIZE=1 size=2', /^501 5\.5\.4/, 'SIZE twice'],
  ['FROM:<a@b.example> BODY=BINARYMIME', /^501 5\.5\.4/, 'BINARYMIME is not offered'],
  ['FROM:<a@b.example> SMTPUTF8=1', /^501 5\.5\.4/, 'SMTPUTF8 has no value'],
  ['FROM:<a@b.example> RET=SOME', /^501 5\.5\.4/, 'RET is FULL or HDRS'],
  ['FROM:<a@b.example> ENVID=a+0D+0Ab', /^501 5\.5\.4/, 'control characters in xtext'],
  [`FROM:<a@b.example> ENVID=${'a'.repeat(101)}`, /^501 5\.5\.4/, 'ENVID too long'],
  ['FROM:<a@b.example> ENVID=a+zz', /^501 5\.5\.4/, 'not xtext'],
  ['FROM:<a@b.example> constructor=1', /^555 5\.5\.4/, 'no name of an object is a parameter'],
  ['FROM:<a@b.example> =1', /^501 5\.5\.4/, 'no name'],
]
for (const [argument, expected, why] of badMails)
  test(`MAIL refused: ${why} (${argument.slice(0, 60)})`, () => {
    const parsed = parseMailArgument(argument)
    assert(!parsed.ok)
    assert.match(replyText(parsed.error), expected)
  })

test('MAIL: every parameter is passed on', () => {
  const parsed = parseMailArgument(
    'FROM:<a@b.example> RET=hdrs ENVID=QQ+2B314 BODY=8bitmime SIZE=00123 AUTH=<> REQUIRETLS',
  )
  assert(parsed.ok)
  assert.deepEqual(parsed.value, {
    reversePath: { address: 'a@b.example' },
    smtpUtf8: false,
    body: '8BITMIME',
    requireTls: true,
    declaredSizeBytes: 123,
    dsn: { ret: 'HDRS', envid: 'QQ+314' },
  })
})

test('MAIL: a SIZE of 20 digits stays an exact number', () => {
  const parsed = parseMailArgument('FROM:<a@b.example> SIZE=99999999999999999999')
  assert(parsed.ok)
  assert.equal(parsed.value.declaredSizeBytes, Number.MAX_SAFE_INTEGER)
})

const rcpts: readonly [argument: string, path: unknown, why: string][] = [
  ['TO:<a@b.example>', { address: 'a@b.example', dsn: {} }, 'plain'],
  ['TO:<Postmaster>', { address: 'postmaster@abc.example', dsn: {} }, 'postmaster (RFC 5321 §4.1.1.3)'],
  [
    'TO:<a@b.example> NOTIFY=success,FAILURE ORCPT=rfc822;Bob+40b.example',
    { address: 'a@b.example', dsn: { notify: 'SUCCESS,FAILURE', orcpt: 'rfc822;Bob@b.example' } },
    'delivery status notifications (RFC 3461)',
  ],
  ['TO:<a@b.example> NOTIFY=NEVER', { address: 'a@b.example', dsn: { notify: 'NEVER' } }, 'NEVER'],
  [
    'TO:<ü@b.example> ORCPT=utf-8;ü@b.example',
    { address: 'ü@b.example', dsn: { orcpt: 'utf-8;\\x{FC}@b.example' } },
    'ORCPT in UTF-8 (RFC 6533)',
  ],
]
for (const [argument, path, why] of rcpts)
  test(`RCPT: ${why}`, () => {
    const parsed = parseRcptArgument(argument, { smtpUtf8: true, postmaster })
    assert(parsed.ok)
    assert.deepEqual(parsed.value, path)
  })

const badRcpts: readonly [argument: string, reply: RegExp, why: string][] = [
  ['TO:<>', /^501 5\.1\.3/, 'the null path receives nothing'],
  ['TO: <a@b.example>', /^501 5\.1\.3/, 'no space after the colon'],
  ['TO:<a>', /^501 5\.1\.3/, 'no domain'],
  ['TO:<a@b.example\x00>', /^553 5\.6\.7|^501 5\.1\.3/, 'NUL'],
  ['TO:<ü@b.example>', /^553 5\.6\.7/, 'UTF-8 without SMTPUTF8 (RFC 6531 §3.5)'],
  ['TO:<a@b.example> NOTIFY=NEVER,FAILURE', /^501 5\.5\.4/, 'NEVER stands alone'],
  ['TO:<a@b.example> NOTIFY=DELAY,DELAY', /^501 5\.5\.4/, 'twice'],
  ['TO:<a@b.example> NOTIFY=', /^501 5\.5\.4/, 'empty'],
  ['TO:<a@b.example> ORCPT=a@b.example', /^501 5\.5\.4/, 'no address type'],
  ['TO:<a@b.example> SIZE=1', /^555 5\.5\.4/, 'belongs to MAIL'],
]
for (const [argument, expected, why] of badRcpts)
  test(`RCPT refused: ${why} (${argument})`, () => {
    const parsed = parseRcptArgument(argument, { smtpUtf8: false, postmaster })
    assert(!parsed.ok)
    assert.match(replyText(parsed.error), expected)
  })

test('xtext there and back (RFC 3461 §4)', () => {
  const text = 'a+b=c d~!'
  assert.equal(encodeXtext(text), 'a+2Bb+3Dc+20d~!')
  assert.equal(decodeXtext(encodeXtext(text)), text)
  for (const wrong of ['a=b', 'a+2b', 'a b', '+', 'ü', '+00']) assert.equal(decodeXtext(wrong), undefined)
})
