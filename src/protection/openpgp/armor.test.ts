import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { Collector } from '../../base/byte-sink.ts'
import { attempt } from '../malformed.ts'
import { armor, armorSink, dearmor, dearmorSink, readArmor, unarmored } from './armor.ts'

const HELLO = Buffer.from('Hello, packets!')
const BASE64 = HELLO.toString('base64')
const BEGIN = '-----BEGIN PGP MESSAGE-----'
const END = '-----END PGP MESSAGE-----'

const read: readonly [lines: string[], why: string][] = [
  [[BEGIN, '', BASE64, END, ''], 'without headers or checksum'],
  [[BEGIN, '', BASE64, END], 'the last line is not ended'],
  [[BEGIN, 'Version: X 1', 'Comment: a', 'Comment:', 'Hash: SHA256', '', BASE64, END], 'headers, unknown or not'],
  [[BEGIN, '', BASE64, '=wGQ7', END], 'a checksum'],
  [[BEGIN, '', BASE64, '=AAAA', END], 'a wrong checksum is no reason to refuse (RFC 9580 §6.1)'],
  [[BEGIN, '', BASE64, '=', END], 'a malformed checksum'],
  [[BEGIN, '', BASE64, '=wGQ7', '', END], 'a blank line behind the data'],
  [[BEGIN, BASE64, END], 'no blank line before the data'],
  [[BEGIN, 'Version: X', BASE64, END], 'no blank line behind the headers'],
  [[BEGIN, ' \t', BASE64, END], 'a line of blanks before the data'],
  [[`${BEGIN}  `, '', `${BASE64}\t`, `${END} `], 'blanks at the ends of lines'],
  [[BEGIN, '', BASE64.slice(0, 5), ` ${BASE64.slice(5, 6)}`, '', BASE64.slice(6), END], 'lines of any length'],
  [['Dear Bob,', BEGIN, '', BASE64, END, 'Yours, Alice'], 'text around it'],
  [['-----BEGIN PGP', `> ${BEGIN}`, ` ${BEGIN}`, BEGIN, '', BASE64, END], 'what only resembles the first line'],
  [['-----BEGIN CERTIFICATE-----', '', 'AAAA', '-----END CERTIFICATE-----', BEGIN, '', BASE64, END], 'PEM before it'],
]
for (const [lines, why] of read)
  for (const lineEnd of ['\n', '\r\n'])
    test(`reads, with ${JSON.stringify(lineEnd)}: ${why}`, () => {
      const text = Buffer.from(lines.join(lineEnd))
      const block = dearmor(text)
      assert.equal(block.label, 'PGP MESSAGE')
      assert.equal(Buffer.from(block.bytes).toString(), HELLO.toString())
      const around = [text.subarray(0, block.startOffset), text.subarray(block.endOffset)].join('|')
      assert.match(around, /^(.*[^\n]\r?\n)?\|(Yours, Alice)?$/s)
      assert(text.subarray(block.startOffset, block.endOffset).toString().startsWith(BEGIN))
      for (const chunkBytes of [1, 7]) assert.deepEqual(streamed(text, chunkBytes), HELLO)
    })

function streamed(text: Uint8Array, chunkBytes: number): Uint8Array {
  const out = new Collector()
  const sink = dearmorSink(out)
  for (let at = 0; at < text.length; at += chunkBytes) sink.write(text.subarray(at, at + chunkBytes))
  sink.end()
  assert(out.ended)
  return Buffer.concat(out.chunks)
}

const refused: readonly [lines: string[], error: RegExp, why: string][] = [
  [[], /no armor/, 'nothing'],
  [['Hello'], /no armor/, 'only text'],
  [[BEGIN], /not closed/, 'only the first line'],
  [[BEGIN, '', BASE64], /not closed/, 'no last line'],
  [[BEGIN, '', BASE64, '-----END PGP SIGNATURE-----'], /another line/, 'the last line of another kind'],
  [[BEGIN, '', BASE64, BEGIN, '', BASE64, END], /another line/, 'one in the other'],
  [[BEGIN, '', BASE64, '- text', END], /another line/, 'a line that is not base64 begins with a dash'],
  [[BEGIN, '', BASE64, END, BEGIN, '', BASE64, END], /more than one/, 'two, where one is expected'],
  [[BEGIN, `Comment: ${'x'.repeat(5000)}`, '', BASE64, END], /too long/, 'an endless header'],
  [[BEGIN, ...Array<string>(101).fill('Comment: x'), '', BASE64, END], /too many/, 'headers without end'],
]
for (const [lines, error, why] of refused)
  test(`refuses: ${why}`, () => {
    const text = Buffer.from(lines.join('\n'))
    for (const attempted of [attempt(() => dearmor(text)), attempt(() => streamed(text, 1000))]) {
      assert(!attempted.ok)
      assert.match(attempted.error, error)
    }
  })

test('a line too long for armor is text, and costs no memory', () => {
  const text = Buffer.concat([Buffer.alloc(2 ** 20, BEGIN), Buffer.from('\n'), armor('PGP MESSAGE', HELLO)])
  assert.deepEqual(dearmor(text).startOffset, 2 ** 20 + 1)
})

test('all blocks of a text', () => {
  const text = Buffer.concat([
    armor('PGP PUBLIC KEY BLOCK', HELLO),
    Buffer.from('text\n'),
    armor('PGP SIGNATURE', HELLO),
  ])
  const blocks = readArmor(text)
  assert.deepEqual(
    blocks.map(({ label }) => label),
    ['PGP PUBLIC KEY BLOCK', 'PGP SIGNATURE'],
  )
  assert.equal(text.subarray(blocks[0]?.endOffset, blocks[1]?.startOffset).toString(), 'text\n')
})

test('no more blocks than anybody has', () => {
  const block = Buffer.from(armor('PGP SIGNATURE', HELLO))
  const many = (count: number) => attempt(() => readArmor(Buffer.concat(Array<Buffer>(count).fill(block))))
  assert(many(1000).ok)
  assert(!many(1001).ok)
})

for (const length of [0, 1, 2, 3, 56, 57, 58, 100_000])
  test(`${length} bytes come back`, () => {
    const bytes = Buffer.alloc(length, 'some bytes')
    assert(bytes.equals(dearmor(armor('PGP SIGNATURE', bytes)).bytes))
  })

test('we write no header that tells about us, a checksum for those who need it, and lines for mail', () => {
  const [with24, without] = [armor('PGP MESSAGE', HELLO), armor('PGP MESSAGE', HELLO, { plain: true })]
  assert.equal(Buffer.from(with24).toString(), [BEGIN, '', BASE64, '=fhAT', END, ''].join('\r\n'))
  assert.equal(Buffer.from(without).toString(), [BEGIN, '', BASE64, END, ''].join('\r\n'))
  const [out, cut] = [new Collector(), Buffer.alloc(300)]
  const sink = armorSink('PGP MESSAGE', out)
  for (const byte of cut) sink.write(Buffer.of(byte))
  sink.end()
  assert.deepEqual(Buffer.concat(out.chunks), Buffer.from(armor('PGP MESSAGE', cut)))
})

test('a file of packets is read with armor or without', () => {
  const packets = Buffer.from('cd0161cd0162', 'hex')
  const [first, second] = [packets.subarray(0, 3), packets.subarray(3)]
  const inArmor = Buffer.concat([armor('PGP PUBLIC KEY BLOCK', first), armor('PGP PUBLIC KEY BLOCK', second)])
  assert.deepEqual(unarmored(packets), packets)
  assert.deepEqual(unarmored(inArmor), packets)
  assert.deepEqual(unarmored(Buffer.concat([Buffer.from('\u{feff}\n'), inArmor])), packets)
  assert(!attempt(() => unarmored(Buffer.from('text'))).ok)
})
