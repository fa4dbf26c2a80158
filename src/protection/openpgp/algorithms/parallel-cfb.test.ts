import assert from 'node:assert/strict'
import { createCipheriv, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ParallelCfbDecryption } from './parallel-cfb.ts'

const [key, iv] = [randomBytes(32), randomBytes(16)]

test('in chunks of any size and place, it is what OpenSSL encrypts in CFB mode', () => {
  const chunks = fc.array(
    fc.record({ bytes: fc.uint8Array({ maxLength: 200 }), moved: fc.integer({ min: 0, max: 3 }) }),
  )
  fc.assert(
    fc.property(chunks, (given) => {
      const encryption = createCipheriv('aes-256-cfb', key, iv)
      const decryption = new ParallelCfbDecryption('aes-256', key, iv)
      for (const { bytes, moved } of given) {
        const ciphertext = new Uint8Array(bytes.length + moved).subarray(moved)
        ciphertext.set(encryption.update(bytes))
        assert.deepEqual(Uint8Array.from(decryption.update(ciphertext)), Uint8Array.from(bytes))
      }
    }),
  )
})
