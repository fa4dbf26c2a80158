import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import test from 'node:test'
import { hex } from '../../../base/bytes.ts'
import { blowfish } from './blowfish.ts'
import { cast5 } from './cast5.ts'
import { CIPHERS, decryptCfb, encryptCfb } from './ciphers.ts'
import { idea } from './idea.ts'

const octets = (text: string): Buffer => Buffer.from(text, 'hex')

test('CAST-128 makes of its block what RFC 2144 appendix B.1 says', () => {
  const block = octets('0123456789abcdef')
  cast5(octets('0123456712345678234567893456789a'))(block)
  assert.equal(hex(block), '238b4fe5847e44b2')
})

test('IDEA makes of its block what its authors say', () => {
  const block = octets('0000000100020003')
  idea(octets('00010002000300040005000600070008'))(block)
  assert.equal(hex(block), '11fbed2b01986de5')
})

test('Blowfish makes of its block what Eric Young’s vectors say', () => {
  const block = octets('0123456789abcdef')
  blowfish(octets('fedcba9876543210fedcba9876543210'))(block)
  assert.equal(hex(block), '0aceab0fc6a0a28d') // the key of eight octets, twice, is the same key
})

for (const cipher of CIPHERS)
  test(`${cipher.name} decrypts what it encrypted, in chunks of any size`, () => {
    const [key, iv] = [Buffer.alloc(cipher.keyBytes, 'key'), Buffer.alloc(cipher.blockBytes, 1)]
    const plaintext = Buffer.alloc(100, 'plaintext')
    const ciphertext = encryptCfb(cipher, key, iv).update(plaintext)
    assert.notDeepEqual(Buffer.from(ciphertext), plaintext)
    for (const chunkBytes of [1, 3, 8, 16, 100]) {
      const run = decryptCfb(cipher, key, iv)
      const chunks: Uint8Array[] = []
      for (let at = 0; at < 100; at += chunkBytes) chunks.push(run.update(ciphertext.subarray(at, at + chunkBytes)))
      assert.deepEqual(Buffer.concat(chunks), plaintext)
    }
  })
