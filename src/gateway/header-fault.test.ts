import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../base/bytes.ts'
import { parsePart } from '../message/parse.ts'
import { replyText } from '../protocol/smtp-reply.ts'
import { headerFault } from './header-fault.ts'
import { HOPS_MAX } from './routing-loop.ts'

const rows: readonly [header: string, refused: RegExp | undefined, why: string][] = [
  ['From: a@b.example\r\nContent-Type: text/plain\r\n', undefined, 'as it should be'],
  ['Received: x\r\n'.repeat(HOPS_MAX + 1), /^554 5\.4\.6 /, 'one more: a loop'],
  ['Content-Type: a/b\r\ncontent-TYPE: a/b\r\n', /^554 5\.6\.0 .*Content-Type/, 'Content-Type twice, even the same'],
  [
    'Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n',
    /^554 5\.6\.0 .*Encoding/,
    'encoded twice',
  ],
  ['To: a@b.example\r\nTo: c@d.example\r\n', undefined, 'two To fields are frequent, and harmless'],
  ['X: y\r\n'.repeat(2001), /^554 5\.6\.0 /, 'more fields than are read'],
  ['not a field\r\n', undefined, 'a broken line'],
]

for (const [header, refused, why] of rows)
  test(why, () => {
    const fault = headerFault(parsePart(utf8(`${header}\r\nbody`)), { hostname: 'mx.example', recipients: [] })
    if (refused === undefined) assert.equal(fault, undefined)
    else assert.match(fault === undefined ? '' : replyText(fault), refused)
  })
