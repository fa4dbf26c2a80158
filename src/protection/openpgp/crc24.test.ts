import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { hex, utf8 } from '../../base/bytes.ts'
import { Crc24 } from './crc24.ts'

function crcOf(...chunks: Uint8Array[]): string {
  const crc = new Crc24()
  for (const chunk of chunks) crc.update(chunk)
  return hex(crc.digest())
}

test('the check value of CRC-24/OPENPGP, and the value of nothing', () => {
  assert.equal(crcOf(utf8('123456789')), '21cf02')
  assert.equal(crcOf(), 'b704ce')
})

test('however it is cut, a text has one checksum', () => {
  const bytes = randomBytes(100)
  const whole = crcOf(bytes)
  assert.equal(crcOf(...Array.from(bytes, (octet) => Uint8Array.of(octet))), whole)
  for (let at = 0; at <= bytes.length; at++) assert.equal(crcOf(bytes.subarray(0, at), bytes.subarray(at)), whole)
})
