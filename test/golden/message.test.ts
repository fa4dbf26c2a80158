/** One message with a little of everything, described; and one delivery report, written. `UPDATE_GOLDEN=1` rewrites. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fromLatin1, latin1 } from '../../src/base/bytes.ts'
import { parseAddress } from '../../src/message/address.ts'
import { contentTypeOf, dispositionOf, transferEncodingOf } from '../../src/message/content-type.ts'
import { decodeBody } from '../../src/message/decode.ts'
import { buildDsn } from '../../src/message/dsn.ts'
import { decodeWords } from '../../src/message/encoded-word.ts'
import { fieldBody, firstField } from '../../src/message/header-field.ts'
import { parseMailboxList } from '../../src/message/mailbox-list.ts'
import { type WalkedPart, walk } from '../../src/message/mime-tree.ts'
import { parsePart } from '../../src/message/parse.ts'

const inFolder = (name: string): string => join(import.meta.dirname, name)

function assertGolden(name: string, actual: string): void {
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(inFolder(name), actual, 'latin1')
  assert.equal(actual, readFileSync(inFolder(name), 'latin1'))
}

test('the tree of a message', () => {
  const root = parsePart(readFileSync(inFolder('message-tree.eml')))
  const { parts, defects } = walk(root)
  const body = (name: string): string => fieldBody(firstField(root, name) ?? assert.fail())
  const description = {
    subject: decodeWords(body('Subject')),
    from: parseMailboxList(body('From')),
    to: parseMailboxList(body('To')),
    defects,
    parts: parts.map(describePart),
  }
  const json = JSON.stringify(description, null, 2).replace(
    /[^\0-\x7f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  ) // oxlint-disable-line no-control-regex
  assertGolden('message-tree.expected.json', `${json}\n`)
})

function describePart({ part, level, depth, parent }: WalkedPart): unknown {
  const { type, parameters } = contentTypeOf(part)
  return {
    depth,
    parent,
    type,
    parameters: Object.fromEntries(parameters),
    ...dispositionOf(part),
    encoding: transferEncodingOf(part),
    fields: part.fields.map((field) => field.name),
    defects: [...part.defects, ...level.defects],
    content: level.kind === 'leaf' ? latin1(decodeBody(part).bytes) : level.kind,
    preamble: latin1(level.preamble),
    epilogue: latin1(level.epilogue),
  }
}

test('a delivery status notification', () => {
  const address = (text: string): NonNullable<ReturnType<typeof parseAddress>> =>
    parseAddress(text) ?? assert.fail(text)
  const report = buildDsn({
    reportingMta: 'mx.biglobe.example',
    from: address('mailer-daemon@biglobe.example'),
    to: address('t-azuma@biglobe.example'),
    failures: [
      {
        recipient: address('u-suzuki@abc.example'),
        originalRecipient: 'rfc822;suzuki@abc.example',
        action: 'failed',
        status: '5.7.7',
        diagnostic:
          '550 5.7.7 Message integrity failure; the message was changed on its way, and the signature does not hold',
        remoteMta: 'mx.abc.example',
        lastAttemptMs: Date.UTC(2026, 10, 14, 9, 59),
      },
      {
        recipient: address('other@abc.example'),
        action: 'delayed',
        status: '4.4.1',
        retryUntilMs: Date.UTC(2026, 10, 19),
      },
    ],
    originalEnvelopeId: 'QQ314159',
    arrivalMs: Date.UTC(2026, 10, 14, 9),
    nowMs: Date.UTC(2026, 10, 14, 10),
    originalHeaders: fromLatin1('From: T. Azuma <t-azuma@biglobe.example>\r\nSubject: [...]\r\n'),
    messageId: '<00112233445566778899aabb@biglobe.example>',
    boundary: '=_00112233445566778899aabb',
  })
  assert.deepEqual(walk(parsePart(report)).defects, [])
  assertGolden('message-dsn.eml', latin1(report))
})
