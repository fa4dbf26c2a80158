import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import test from 'node:test'
import { type ByteSink, Collector } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { cipherByName } from '../algorithms/ciphers.ts'
import { CHANGED } from './changed.ts'
import { decryptingSink } from './decrypt.ts'
import { Seipd1Encryption } from './seipd1.ts'

const KEY = randomBytes(32)
const CIPHER = cipherByName('aes-256')

/** As a parser of packets that does not like what it is given. */
const FUSSY: ByteSink = {
  write: () => {
    throw new Malformed('no packet begins like this')
  },
  end: () => assert.fail('believed'),
}

function decrypt(body: Uint8Array): void {
  const sink = decryptingSink({ head: { kind: 'seipd1' }, cipher: CIPHER, key: KEY }, FUSSY)
  for (let at = 1; at < body.length; at += 50) sink.write(body.subarray(at, at + 50))
  sink.end()
}

test('what is wrong with a plaintext is said when it is proven, and not when somebody changed it', () => {
  const out = new Collector()
  const sink = new Seipd1Encryption(CIPHER, KEY, out)
  sink.write(randomBytes(500))
  sink.end()
  const body = concatBytes(out.chunks)
  assert.throws(() => decrypt(body), { message: 'no packet begins like this' })
  const changed = Buffer.from(body)
  changed[300] = (changed[300] ?? 0) ^ 1
  assert.throws(() => decrypt(changed), { message: CHANGED })
})
