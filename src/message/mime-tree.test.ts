import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuMs } from '../../test/support/cpu-time.ts'
import * as fc from 'fast-check'
import { fromLatin1, latin1 } from '../base/bytes.ts'
import { NESTING_MAX, childrenOf, walk } from './mime-tree.ts'
import { parsePart } from './parse.ts'
import { type Part, bodyOf } from './part.ts'

const CRLF = '\r\n'
const multipart = (body: string, type = 'multipart/mixed; boundary=b'): Part =>
  parsePart(fromLatin1(`Content-Type: ${type}${CRLF}${CRLF}${body}`))

const levels: readonly [body: string, children: string[], around: [string, string], defects: string[], why: string][] =
  [
    ['--b\r\n\r\nx\r\n--b--\r\n', ['\r\nx'], ['', ''], [], 'one child, without header'],
    ['--b\r\nA: 1\r\n\r\nx\r\n--b\r\nB: 2\r\n\r\ny\r\n--b--', ['A: 1\r\n\r\nx', 'B: 2\r\n\r\ny'], ['', ''], [], 'two'],
    ['pre\r\n--b\r\n\r\nx\r\n--b--\r\nepi\r\n', ['\r\nx'], ['pre', 'epi\r\n'], [], 'preamble and epilogue'],
    ['\r\n--b\r\n\r\nx\r\n\r\n--b--', ['\r\nx\r\n'], ['', ''], [], 'one line end belongs to the boundary'],
    ['--b \t\r\n\r\nx\r\n--b-- \r\n', ['\r\nx'], ['', ''], [], 'transport padding (RFC 2046 §5.1.1)'],
    ['--b\r\n\r\n--b\r\n--b\r\nA: 1\r\n--b--', ['', '', 'A: 1'], ['', ''], ['header-not-ended'], 'empty children'],
    ['--bb\r\n--b\r\n\r\n--bc\r\n --b\r\nx--b\r\n--b--', ['\r\n--bc\r\n --b\r\nx--b'], ['--bb', ''], [], 'near misses'],
    [
      '--b\r\n\r\nx\r\n--b-\r\n--b--y\r\n--B--\r\n--b--',
      ['\r\nx\r\n--b-\r\n--b--y\r\n--B--'],
      ['', ''],
      [],
      'more of them',
    ],
    [
      '--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n--b--',
      ['\r\nx'],
      ['', '--b\r\n\r\ny\r\n--b--'],
      [],
      'nothing after the end',
    ],
    ['--b\r\n\r\nx\r\n', ['\r\nx\r\n'], ['', ''], ['boundary-not-closed'], 'not closed'],
    ['--b', [''], ['', ''], ['boundary-not-closed'], 'a boundary and no more'],
    ['--b--', [], ['', ''], [], 'closed at once'],
    ['x', [], ['x', ''], ['boundary-missing'], 'no boundary line'],
    ['', [], ['', ''], ['boundary-missing'], 'no body'],
    ['--b\n\nx\n--b--\n', ['\nx'], ['', ''], ['bare-lf'], 'bare LF'],
    ['--b\r\n\r\nx\n--b--\r\n', ['\r\nx'], ['', ''], ['bare-lf'], 'bare LF before a boundary'],
    ['--b\r\n\r\nx\r--b--', ['\r\nx\r--b--'], ['', ''], ['boundary-not-closed'], 'a lone CR starts no line'],
    ['--b\r\r\n\r\n--b--', [], ['--b\r\r\n', ''], [], 'a lone CR is no padding'],
  ]
for (const [body, children, around, defects, why] of levels)
  test(`multipart: ${why}`, () => {
    const part = multipart(body)
    const level = childrenOf(part)
    assert.deepEqual(
      level.children.map((child) => latin1(child.raw)),
      children,
    )
    assert.deepEqual([latin1(level.preamble), latin1(level.epilogue)], around)
    assert.deepEqual([...new Set([...level.defects, ...walk(part).defects])].toSorted(), defects)
    assertPrintsBack(part)
  })

const types: readonly [type: string, body: string, count: number, defects: string[], why: string][] = [
  ['multipart/mixed', '--b\r\n\r\n--b--', 0, ['boundary-missing'], 'no boundary parameter'],
  ['multipart/mixed; boundary=""', '--\r\n\r\n----', 0, ['boundary-missing'], 'an empty boundary'],
  ['multipart/mixed; boundary="ü"', '--\xfc\r\n\r\n--\xfc--', 0, ['boundary-missing'], 'eight bits'],
  ['multipart/mixed; boundary="b "', '--b\r\n\r\n--b--', 1, [], 'a blank at its end does not count'],
  ['multipart/x; boundary="a b"', '--a b\r\n\r\n--a b--', 1, [], 'a blank within; an unknown multipart'],
  [
    `multipart/mixed; boundary=${'x'.repeat(71)}`,
    `--${'x'.repeat(71)}\r\n`,
    1,
    ['bad-content-type', 'boundary-not-closed'],
    '71',
  ],
  [
    `multipart/mixed; boundary=${'x'.repeat(10_001)}`,
    `--${'x'.repeat(10_001)}`,
    0,
    ['bad-content-type', 'boundary-missing'],
    '10,001',
  ],
  ['multipart/mixed; boundary="--"', '----\r\n\r\n------', 1, [], 'a boundary of dashes'],
  [
    'multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64',
    '--b\r\n\r\n--b--',
    1,
    ['bad-transfer-encoding'],
    'encoded',
  ],
  ['message/rfc822', 'A: 1\r\n\r\nx', 1, [], 'a message'],
  ['message/rfc822', '', 1, [], 'an empty message'],
  [
    'message/rfc822\r\nContent-Transfer-Encoding: base64',
    'QTogMQ0KDQp4',
    1,
    ['bad-transfer-encoding'],
    'an encoded message',
  ],
  ['message/global\r\nContent-Transfer-Encoding: base64', 'QTogMQ0KDQp4', 1, [], 'is allowed in RFC 6532 §3.7'],
  ['message/partial; id=a', 'A: 1\r\n\r\nx', 0, [], 'no other message type is looked into'],
  ['text/plain; boundary=b', '--b\r\n\r\n--b--', 0, [], 'nor a text'],
]
for (const [type, body, count, defects, why] of types)
  test(`type: ${type.slice(0, 40)}: ${why}`, () => {
    const level = childrenOf(multipart(body, type))
    assert.equal(level.children.length, count)
    assert.deepEqual(level.defects.toSorted(), defects)
  })

test('the message within an encoded message', () => {
  const part = multipart('QTogMQ0KDQp4', 'message/global\r\nContent-Transfer-Encoding: base64')
  assert.equal(childrenOf(part).children[0]?.fields[0]?.name, 'A')
})

test('a child of multipart/digest is a message (RFC 2046 §5.1.5)', () => {
  const part = multipart('--b\r\n\r\nFrom: x\r\n\r\ny\r\n--b--', 'multipart/digest; boundary=b')
  assert.deepEqual(
    walk(part).parts.map(({ depth, level }) => [depth, level.kind]),
    [
      [0, 'multipart'],
      [1, 'message'],
      [2, 'leaf'],
    ],
  )
})

test('children are views on the same bytes', () => {
  const part = multipart('--b\r\n\r\nx\r\n--b--')
  assert.equal(childrenOf(part).children[0]?.raw.buffer, part.raw.buffer)
})

test('an outer boundary ends an inner multipart', () => {
  const inner = 'Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nx'
  const { parts, defects } = walk(multipart(`--b\r\n${inner}\r\n--b\r\n\r\ny\r\n--b--`))
  assert.deepEqual(
    parts.map(({ depth }) => depth),
    [0, 1, 2, 1],
  )
  assert.deepEqual(defects, ['boundary-not-closed'])
})

test('boundaries of which one begins with the other are told apart', () => {
  const inner = 'Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\n\r\nx\r\n--b1--'
  const { parts, defects } = walk(multipart(`--b\r\n${inner}\r\n--b\r\n\r\ny\r\n--b--`))
  assert.deepEqual([parts.map(({ depth }) => depth), defects], [[0, 1, 2, 1], []])
})

test('walk: in the order of the message, with parents', () => {
  const inner = (text: string): string => `Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\n${text}\r\n--i--`
  const { parts } = walk(multipart(`--b\r\n${inner('1')}\r\n--b\r\n${inner('2')}\r\n--b\r\n\r\n3\r\n--b--`))
  assert.deepEqual(
    parts.map(({ depth, parent }) => [depth, parent]),
    [
      [0, -1],
      [1, 0],
      [2, 1],
      [1, 0],
      [2, 3],
      [1, 0],
    ],
  )
  assert.deepEqual(
    parts.filter(({ level }) => level.kind === 'leaf').map(({ part }) => latin1(bodyOf(part))),
    ['1', '2', '3'],
  )
})

test('walk stops at too many parts', () => {
  const { parts, defects } = walk(multipart('--b\r\n\r\n'.repeat(20_001)))
  assert.deepEqual(defects, ['too-many-parts'])
  assert.equal(parts.length, 10_000)
})

test('walk stops at too many messages in messages', () => {
  const chain = 'Content-Type: message/rfc822\r\n\r\n'.repeat(3)
  const { parts, defects } = walk(multipart(`--b\r\n${chain}\r\n`.repeat(30)), { partsMax: 50, nestingMax: 10 })
  assert.ok(defects.includes('too-many-parts'))
  assert.equal(parts.length, 50)
})

test('walk stops at too deep nesting', () => {
  for (const raw of ['Content-Type: message/rfc822\r\n\r\n'.repeat(100_000), nested(500)]) {
    const { parts, defects } = walk(parsePart(fromLatin1(raw)))
    assert.ok(defects.includes('nested-too-deeply'))
    assert.equal(parts.at(-1)?.depth, NESTING_MAX)
  }
})

test('boundaries of which each begins with the one before cannot multiply the work', () => {
  const boundaries = Array.from({ length: NESTING_MAX }, (_, level) => 'b'.repeat(level + 1))
  const heads = boundaries.map(
    (boundary) => `Content-Type: multipart/mixed; boundary=${boundary}\r\n\r\n--${boundary}\r\n`,
  )
  const part = parsePart(fromLatin1(heads.join('') + `\r\n--${'b'.repeat(120)}`.repeat(100_000)))
  assert.ok(cpuMs(() => assert.ok(walk(part).defects.includes('too-many-parts'))) < 3_000)
})

test('hostile bodies take linear time', () => {
  const fills = [
    '--b',
    '\r\n--b',
    '\r\n--b-',
    '\n',
    '-',
    '\r\n--bx\r\n--b',
    '\r\n--b ',
    '\r\n--b\r\n',
    '--b--\r\n',
    '\r\n--b\r\nA:\r\n',
  ]
  for (const fill of fills) {
    const part = multipart(fill.repeat(4_000_000 / fill.length))
    const tookMs = cpuMs(() => walk(part))
    assert.ok(tookMs < 3_000, `${JSON.stringify(fill)} ${tookMs} ms`)
  }
})

test('any body: no throw, and delimiters and children are the bytes again', () => {
  const piece = fc.constantFrom(
    '--b',
    '--',
    'b',
    '\r\n',
    '\n',
    '\r',
    ' ',
    'A: 1',
    'x',
    'Content-Type: multipart/x; boundary=b',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40, size: 'max' }), (pieces) =>
      assertPrintsBack(multipart(pieces.join(''))),
    ),
    { numRuns: 500 },
  )
})

function nested(depth: number): string {
  let head = ''
  for (let level = 0; level < depth; level++)
    head += `Content-Type: multipart/mixed; boundary=b${level}\r\n\r\n--b${level}\r\n`
  return head
}

function assertPrintsBack(part: Part): void {
  for (const { part: at, level } of walk(part).parts) {
    if (level.kind !== 'multipart') continue
    const pieces = level.delimiters.flatMap((delimiter, index) => [
      delimiter,
      level.children[index]?.raw ?? Buffer.alloc(0),
    ])
    assert.ok(Buffer.concat([level.preamble, ...pieces, level.epilogue]).equals(bodyOf(at)))
  }
}
