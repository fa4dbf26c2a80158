import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { concatBytes } from '../../../base/bytes.ts'
import {
  CIPHERS,
  type CipherRow,
  decryptContent,
  ivBytesOf,
  startDecryption,
  startEncryption,
} from './content-cipher.ts'

const SIZES = [0, 1, 15, 16, 17, 31, 32, 33, 300]
const EMPTY = new Uint8Array()

function sealed(row: CipherRow, plain: Uint8Array) {
  const key = randomBytes(row.keyBytes)
  const iv = randomBytes(ivBytesOf(row))
  const encryption = startEncryption(row, key, iv)
  const body = encryption.update(plain)
  const { rest, tag } = encryption.finish()
  return { input: { cipher: { row, iv, tagBytes: tag?.length ?? 0 }, key }, encrypted: concatBytes([body, rest]), tag }
}

for (const row of CIPHERS) {
  test(`${row.name}: whatever the chunks, whether or not the last one is empty, the same comes out`, () => {
    for (const size of SIZES) {
      const plain = randomBytes(size)
      const { input, encrypted, tag } = sealed(row, plain)
      for (let cut = 0; cut <= encrypted.length; cut++) {
        const decryption = startDecryption(input)
        const head = decryption.update(encrypted.subarray(0, cut))
        const tail = decryption.finish(encrypted.subarray(cut), tag)
        assert(tail !== undefined, `${size} octets cut at ${cut}`)
        assert(plain.equals(concatBytes([head, tail])))
        const slices = [encrypted.subarray(0, cut), EMPTY, encrypted.subarray(cut)]
        assert(plain.equals(decryptContent(input, slices, tag) ?? assert.fail('not decrypted')))
      }
    }
  })

  test(`${row.name}: in chunks as well as whole, a changed end is noticed and said without a throw`, () => {
    for (const size of SIZES) {
      const { input, encrypted, tag } = sealed(row, randomBytes(size))
      const wrong = row.mode === 'cbc' ? withoutItsLast(encrypted) : encrypted
      const wrongTag = tag === undefined ? undefined : flipped(tag)
      for (let cut = 0; cut <= wrong.length; cut += 5) {
        const decryption = startDecryption(input)
        decryption.update(wrong.subarray(0, cut))
        assert.equal(decryption.finish(wrong.subarray(cut), wrongTag), undefined)
      }
    }
  })
}

const withoutItsLast = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, -1)
const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((octet, at) => (at === 0 ? octet ^ 1 : octet))
