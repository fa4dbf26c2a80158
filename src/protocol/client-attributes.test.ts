import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ATTRIBUTE_MAX_CHARS,
  parseClientAttributes,
  XCLIENT_ATTRIBUTES,
  XCLIENT_LOGIN,
  XFORWARD_ATTRIBUTES,
} from './client-attributes.ts'

const ALL = [...XCLIENT_ATTRIBUTES, XCLIENT_LOGIN]
const read: readonly [argument: string, attributes: object, why: string][] = [
  ['NAME=spike.example ADDR=192.0.2.1', { address: '192.0.2.1' }, 'of the README'],
  ['addr=192.0.2.1 Helo=a.example', { address: '192.0.2.1', helo: 'a.example' }, 'names in any case'],
  ['ADDR=IPv6:2001:DB8:0::1', { address: '2001:db8::1' }, 'IPv6'],
  ['ADDR=::ffff:192.0.2.1', { address: '192.0.2.1' }, 'IPv4 that is written as IPv6'],
  ['ADDR=[UNAVAILABLE] HELO=[tempunavail]', { address: null, helo: null }, 'what is not known'],
  ['NAME=[TEMPUNAVAIL] PORT=56124 PROTO=ESMTP', {}, 'what is of no use here'],
  ['LOGIN=t-azuma+2Bx@here.example', { login: 't-azuma+x@here.example' }, 'xtext'],
  ['LOGIN=[UNAVAILABLE]', { login: null }, 'nobody has signed in'],
]
for (const [argument, attributes, why] of read)
  test(`is read: ${why}`, () => assert.deepEqual(parseClientAttributes(argument, ALL), { ok: true, value: attributes }))

test('XFORWARD says more of the message', () =>
  assert.deepEqual(parseClientAttributes('IDENT=4F2 SOURCE=REMOTE PROTO=SMTP', XFORWARD_ATTRIBUTES), {
    ok: true,
    value: {},
  }))

const refused: readonly [argument: string, why: string][] = [
  ['', 'nothing'],
  ['ADDR', 'no value'],
  ['ADDR=', 'an empty value'],
  ['ADDR=192.0.2.1 ADDR=192.0.2.2', 'twice'],
  ['ADDR=spike.example', 'no address'],
  ['ADDR=[192.0.2.1]', 'an address in brackets'],
  ['ADDR=fe80::1+25eth0', 'an address with a zone'],
  ['PORT=x', 'no port'],
  ['HELO=a+0D+0Ab', 'a line end in xtext'],
  ['HELO=a+20b', 'a blank in xtext'],
  ['NAME=a+28b+29', 'a comment of a header'],
  ['LOGIN=a+22b', 'a quote'],
  ['HELO=ü', 'not ASCII'],
  [`NAME=${'a'.repeat(ATTRIBUTE_MAX_CHARS + 1)}`, 'too long'],
  ['IDENT=1', 'an attribute of XFORWARD'],
  ['=192.0.2.1', 'no name'],
]
for (const [argument, why] of refused)
  test(`is refused: ${why}`, () => assert.equal(parseClientAttributes(argument, ALL).ok, false))

test('a login is read only where it is asked for', () =>
  assert.equal(parseClientAttributes('LOGIN=a@b.example', XCLIENT_ATTRIBUTES).ok, false))
