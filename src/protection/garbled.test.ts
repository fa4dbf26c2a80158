import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePart } from '../message/parse.ts'
import { isGarbled } from './garbled.ts'

const GARBAGE = '\x91\x03\xf2\x7fA\xe5\x18\xc4q\x00\xb7\xd8\x1d\x9ez\xaa'
const at = (offset: number, text: string): string => text + 'x'.repeat(offset - text.length)
const multipart = (...parts: string[]): string =>
  `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n${parts.join('\r\n--b\r\n')}\r\n--b--\r\n`

/** Text of two blocks, then the random one. */
const cases: readonly [entity: string, garbled: boolean, why: string][] = [
  [`${at(32, 'Content-Type: text/html\r\n\r\n')}${GARBAGE}`, true, 'in a text'],
  [`${at(32, 'X: y')}${GARBAGE}\r\n\r\n`, true, 'in a header'],
  [`${at(32, '\r\n')}${GARBAGE}`, true, 'in a text that says nothing of itself'],
  [`${at(64, 'Content-Type: application/xhtml+xml\r\n\r\n')}${GARBAGE}`, true, 'in markup'],
  [`${at(32, 'Content-Type: text/html\r\n\r\n')}${GARBAGE.slice(0, 15)}`, false, 'the last block is never half a one'],
  [`${at(64, 'Content-Type: application/pdf\r\n\r\n')}${GARBAGE}`, false, 'in what is no text'],
  [multipart(`Content-Type: image/png\r\n\r\n${GARBAGE.repeat(9)}`), false, 'in a part that is no text'],
  [
    multipart(`Content-Type: image/png\r\n\r\n${GARBAGE.repeat(9)}`, `\r\n${GARBAGE.repeat(3)}`),
    true,
    'in a text after it',
  ],
  [`Content-Type: text/plain\r\n\r\n${'Gr\xfc\xdfe \xe4\xf6\xfc\xdf '.repeat(50)}`, false, 'Latin-1'],
  [
    `Content-Type: text/plain\r\n\r\n${Buffer.from('昨日はありがとう。').toString('latin1').repeat(20)}`,
    false,
    'UTF-8',
  ],
  [
    `Content-Type: text/plain\r\n\r\n${'\x1b$B$"$j$,$H$&\x1b(B\r\n\x0c\x0e\x0f'.repeat(20)}\x1a`,
    false,
    'ISO 2022, and DOS',
  ],
  [
    `Content-Type: text/plain\r\n\r\n${'a log\x00with\x01control\x02characters'.repeat(20)}`,
    false,
    'controls, but all else is ASCII',
  ],
  ['', false, 'nothing'],
]
for (const [entity, garbled, why] of cases)
  test(`random octets of a block, ${why}: ${garbled ? 'seen' : 'no matter'}`, () => {
    assert.equal(isGarbled(parsePart(Buffer.from(entity, 'latin1'))), garbled)
  })
