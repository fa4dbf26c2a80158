import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { hex } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { Cursor, writeMpi } from './cursor.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'hex')

test('fields follow each other, big-endian', () => {
  const cursor = new Cursor(bytes('01fffeffffffff0261620099'))
  assert.equal(cursor.u8(), 1)
  assert.equal(cursor.u16(), 0xfffe)
  assert.equal(cursor.u32(), 0xffff_ffff)
  assert.equal(hex(cursor.take(cursor.u8())), '6162')
  assert.equal(cursor.left, 2)
  assert.equal(hex(cursor.rest()), '0099')
  assert.equal(cursor.left, 0)
})

for (const [what, read] of [
  ['u8', (cursor: Cursor) => cursor.u8()],
  ['u16', (cursor: Cursor) => cursor.u16()],
  ['u32', (cursor: Cursor) => cursor.u32()],
  ['take', (cursor: Cursor) => cursor.take(4)],
  ['mpi', (cursor: Cursor) => cursor.mpi()],
] as const)
  test(`${what} throws Malformed where the bytes end too early`, () =>
    assert.throws(() => read(new Cursor(bytes(what === 'u8' ? '' : what === 'u16' ? '01' : '0009ff'))), Malformed))

const mpis: readonly [encoded: string, number: string, why: string][] = [
  ['0000', '', 'zero (RFC 9580 §3.2)'],
  ['000101', '01', 'one (RFC 9580 §3.2)'],
  ['000901ff', '01ff', '511 (RFC 9580 §3.2)'],
]
for (const [encoded, number, why] of mpis)
  test(`a multiprecision integer: ${why}`, () => {
    assert.equal(hex(new Cursor(bytes(encoded)).mpi()), number)
    assert.equal(hex(writeMpi(bytes(`0000${number}`))), encoded)
  })

test('a count of bits that is too large by leading zeros is read, and written exactly', () => {
  const number = new Cursor(bytes('00100001')).mpi()
  assert.equal(hex(number), '01')
  assert.equal(hex(writeMpi(number)), '000101')
})

test('a number larger than any key is refused', () => {
  const mpi = (bits: number): Uint8Array =>
    new Cursor(Buffer.concat([Buffer.of(bits >> 8, bits & 0xff), Buffer.alloc(8192, 1)])).mpi()
  assert.equal(mpi(32_768).length, 4096)
  assert.throws(() => mpi(32_769), Malformed)
})
