/**
 * Other people's mails, the torture suites among them: every file, mail or not, is taken apart and put together again
 * byte for byte; and two parsers' own expectations say where we see another structure than they do, and why.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { cpuMs } from '../support/cpu-time.ts'
import { fromLatin1 } from '../../src/base/bytes.ts'
import { childrenOf, walk } from '../../src/message/mime-tree.ts'
import { parsePart } from '../../src/message/parse.ts'
import type { Part } from '../../src/message/part.ts'
import { printPart } from '../support/print-part.ts'

const CORPORA = join(import.meta.dirname, '../../../shared/corpora')
const FILE_MS_MAX = 500

/** Folder and the least number of files, so that a moved folder is noticed. */
const FOLDERS: Readonly<Record<string, number>> = {
  mime4j: 400,
  'mime-tools': 100,
  'stalwart-mail-parser': 300,
  'ruby-mail': 100,
  'python-email': 50,
  rspamd: 200,
  jsmimeparser: 20,
  'postal-mime': 5,
  'nodemailer-mailparser': 10,
  'php-mime-mail-parser': 40,
  mox: 30,
  haraka: 20,
  spamassassin: 200,
  'stdlib-spam': 1300,
  notmuch: 3,
  'kde-messagelib': 100,
  'kde-mimetreeparser': 70,
  'chatmail-core': 20,
}

const skip = existsSync(CORPORA) ? false : 'no corpora'

function filesIn(folder: string): readonly string[] {
  const entries = readdirSync(join(CORPORA, folder), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

for (const [folder, count] of Object.entries(FOLDERS))
  test(`${folder}: taken apart and put together again, every byte is where it was`, { skip }, () => {
    const files = filesIn(folder)
    assert.ok(files.length >= count, `only ${files.length} files`)
    for (const file of files) {
      const raw = readFileSync(file)
      const part = parsePart(raw)
      assert.ok(cpuMs(() => walk(parsePart(raw))) < FILE_MS_MAX, `${file} took too long`)
      assert.ok(raw.equals(printPart(part)), file)
    }
  })

/** Why we see another structure than mime4j, by file. */
const NOT_AS_MIME4J: Readonly<Record<string, string>> = {
  'ending-boundaries': 'text after the boundary makes it no boundary line here, as for most readers',
  'malformedHeaderStartsBody-nocrlfcrlf': 'a malformed line does not end the header here',
  'weird-boundary': 'blanks at the end of a boundary do not count (RFC 2046 §5.1.1)',
  'very-long-boundary': 'the same, in a longer one',
  'very-very-long-boundary': 'the same, in a very long one',
}

/** `(3m(1)(2))`: fields that have a name, then children. */
function shapeOf(part: Part): string {
  const { kind, children } = childrenOf(part)
  const fields = part.fields.filter((field) => field.name !== '').length
  return `(${fields}${kind === 'leaf' ? '' : 'm'}${children.map(shapeOf).join('')})`
}

function shapeInXml(xml: string): string {
  let shape = ''
  let fields = 0
  for (const [, end, tag] of xml.matchAll(/<(\/?)(message|body-part|multipart|field|header)\b/g)) {
    if (tag === 'field') fields += end === '' ? 1 : 0
    else if (tag === 'header') {
      if (end !== '') shape += fields
      fields = 0
    } else if (tag === 'multipart') shape += end === '' ? 'm' : ''
    else if (end !== '') shape += ')'
    else shape += tag === 'message' && shape !== '' ? 'm(' : '('
  }
  return shape
}

test('mime4j: the same fields and parts as in its XML', { skip }, () => {
  const differing = filesIn('mime4j')
    .filter((file) => file.endsWith('.msg') && existsSync(file.replace(/msg$/, 'xml')))
    .filter(
      (file) =>
        shapeOf(parsePart(readFileSync(file))) !== shapeInXml(readFileSync(file.replace(/msg$/, 'xml'), 'latin1')),
    )
  assert.deepEqual(differing.map(stem).toSorted(), Object.keys(NOT_AS_MIME4J).toSorted())
})

/** Why we see another structure than stalwart's mail-parser, by reason. */
const NOT_AS_STALWART: Readonly<Record<string, readonly string[]>> = {
  'an empty child is a child': ['malformed/000', 'malformed/014'],
  'a malformed line does not end a header': ['malformed/007'],
  'an outer boundary ends what is within, though nothing closed that': '001 003 004 005 008 009 011 012 013 016 019'
    .split(' ')
    .map((name) => `malformed/${name}`)
    .concat('thirdparty/015'),
  'a second Content-Type is ignored, not the first': ['malformed/020', 'malformed/021'],
  'a message cut off within its header': ['malformed/022'],
  'the line end before a boundary is the boundary’s, even where the header’s empty line is': ['thirdparty/011'],
}

interface StalwartMessage {
  readonly parts: readonly {
    readonly body: { readonly Message?: StalwartMessage }
    readonly offset_header: number
    readonly offset_body: number
  }[]
}

/** `header-body` offsets of every part; those within an encoded message count from its own start, and are left out. */
function spansOf(message: StalwartMessage): readonly string[] {
  return message.parts.flatMap(({ body, offset_header, offset_body }) => {
    const isEncoded = (body.Message?.parts[0]?.offset_header ?? 0) < offset_body
    const inner = body.Message === undefined || isEncoded ? [] : spansOf(body.Message)
    return [`${offset_header}-${offset_body}`, ...inner]
  })
}

test('stalwart: the same parts at the same offsets, with CRLF and with LF', { skip }, () => {
  const differing = new Set<string>()
  let compared = 0
  for (const file of filesIn('stalwart-mail-parser').filter((name) => name.endsWith('.eml'))) {
    for (const [lineEnd, suffix] of [
      ['\n', '.json'],
      ['\r\n', '.crlf.json'],
    ] as const) {
      const raw = new Uint8Array(fromLatin1(readFileSync(file, 'latin1').replace(/\r?\n/g, lineEnd)))
      const theirs = spansOf(JSON.parse(readFileSync(file.replace(/\.eml$/, suffix), 'utf8')) as StalwartMessage)
      const ours = walk(parsePart(raw)).parts.filter(({ part }) => part.raw.buffer === raw.buffer)
      const spans = ours.map(({ part }) => [part.raw.byteOffset - raw.byteOffset, part.bodyOffset] as const)
      const same =
        [...theirs].toSorted().join(' ') ===
        spans
          .map(([start, body]) => `${start}-${start + body}`)
          .toSorted()
          .join(' ')
      if (!same)
        differing.add(
          file
            .split('/')
            .slice(-2)
            .join('/')
            .replace(/\.eml$/, ''),
        )
      compared++
    }
  }
  assert.ok(compared > 200)
  assert.deepEqual([...differing].toSorted(), Object.values(NOT_AS_STALWART).flat().toSorted())
})

const stem = (file: string): string => file.replace(/^.*\/|\.\w+$/g, '')
