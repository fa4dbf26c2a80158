import assert from 'node:assert/strict'
import { createCipheriv, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { concatBytes } from '../../../base/bytes.ts'
import { CIPHERS, type CipherRow, isAuthenticated, isWritten } from './ciphers.ts'
import {
  type DecryptionInput,
  decryptContent,
  ivBytesOf,
  keyForCipher,
  readContentCipher,
  startDecryption,
  startEncryption,
} from './content-cipher.ts'
import { integer, octetString, oid as oidDer, sequence } from '../asn1/der-writer.ts'

const SIZES = [0, 1, 15, 16, 17, 31, 32, 33, 300]
const EMPTY = new Uint8Array()

interface Sealed {
  readonly input: DecryptionInput
  readonly encrypted: Uint8Array
  readonly tag: Uint8Array | undefined
}

function sealed(row: CipherRow, plain: Uint8Array): Sealed {
  const key = randomBytes(row.keyBytes)
  const iv = randomBytes(ivBytesOf(row))
  const { encrypted, tag } = isWritten(row) ? ours(row, key, iv, plain) : theirs(row, key, iv, plain)
  return { input: { cipher: { row, iv, tagBytes: tag?.length ?? 0 }, key }, encrypted, tag }
}

function ours(row: CipherRow, key: Uint8Array, iv: Uint8Array, plain: Uint8Array): Omit<Sealed, 'input'> {
  const encryption = startEncryption(row, key, iv)
  const body = encryption.update(plain)
  const { rest, tag } = encryption.finish()
  return { encrypted: concatBytes([body, rest]), tag }
}

/** What is only read comes from node:crypto. */
function theirs(row: CipherRow, key: Uint8Array, iv: Uint8Array, plain: Uint8Array): Omit<Sealed, 'input'> {
  const authTagLength = 16
  if (row.mode !== 'ccm') {
    const cipher = createCipheriv(row.name, key, iv)
    return { encrypted: Buffer.concat([cipher.update(plain), cipher.final()]), tag: undefined }
  }
  const cipher = createCipheriv(row.name as 'aes-256-ccm', key, iv, { authTagLength })
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()])
  return { encrypted, tag: cipher.getAuthTag() }
}

for (const row of CIPHERS.filter(({ mode }) => mode !== 'rc2-cbc')) {
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
      const wrong = isAuthenticated(row) ? encrypted : withoutItsLast(encrypted)
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

test('rc2: a vector of RFC 2268 §5, whose plaintext happens to end in padding', () => {
  const row = CIPHERS.find((cipher) => cipher.name === 'rc2-64-cbc') ?? assert.fail()
  const cipher = { row, iv: new Uint8Array(8), tagBytes: 0 }
  const key = Buffer.from('3000000000000000', 'hex')
  const content = decryptContent({ cipher, key }, [Buffer.from('30649edf9be7d2c2', 'hex')], undefined)
  assert.equal(Buffer.from(content ?? []).toString('hex'), '10000000000000')
})

const nonce = (bytes: number): Uint8Array => octetString(new Uint8Array(bytes))
const [CCM, CHACHA, DES, RC2] = [
  '2.16.840.1.101.3.4.1.47',
  '1.2.840.113549.1.9.16.3.18',
  '1.2.840.113549.3.7',
  '1.2.840.113549.3.2',
]
const parameters: readonly [oid: string, parameters: Uint8Array, name: string | undefined, why: string][] = [
  [CCM, sequence(nonce(12), integer(16)), 'aes-256-ccm', 'CCM as RFC 5084 §3.1 has it'],
  [CCM, sequence(nonce(7)), 'aes-256-ccm', 'a tag of 12 octets by default'],
  [CCM, sequence(nonce(13), integer(14)), 'aes-256-ccm', 'the longest nonce'],
  [CCM, sequence(nonce(6)), undefined, 'a nonce too short'],
  [CCM, sequence(nonce(14)), undefined, 'a nonce too long'],
  [CCM, sequence(nonce(12), integer(4)), undefined, 'a tag that can be guessed'],
  [CCM, nonce(12), undefined, 'no sequence'],
  [CHACHA, nonce(12), 'chacha20-poly1305', 'a nonce (RFC 8103)'],
  [CHACHA, nonce(8), undefined, 'a nonce of the older ChaCha20'],
  [CHACHA, sequence(nonce(12)), undefined, 'parameters of GCM'],
  [DES, nonce(8), 'des-ede3-cbc', 'an IV of one block'],
  [DES, nonce(16), undefined, "another cipher's IV"],
  [RC2, sequence(integer(58), nonce(8)), 'rc2-128-cbc', '128 effective bits (RFC 3370 §5.2)'],
  [RC2, sequence(integer(120), nonce(8)), 'rc2-64-cbc', '64 effective bits'],
  [RC2, sequence(integer(160), nonce(8)), 'rc2-40-cbc', '40 effective bits'],
  [RC2, sequence(integer(128), nonce(8)), undefined, 'a version that stands for no size we know'],
  [RC2, nonce(8), undefined, 'no version'],
]

for (const [oid, given, name, why] of parameters)
  test(`parameters of ${name ?? `${oid}, refused`}: ${why}`, () => {
    const read = readContentCipher({ oid, parameters: given })
    assert.equal(read.ok ? read.value.row.name : undefined, name)
  })

test('a weak cipher is never one that is written', () => {
  for (const row of CIPHERS) assert(row.weak === undefined || !isWritten(row), row.name)
})

/** RFC 9709 appendix B. */
const bindings: readonly [algorithm: string, derived: string, name: string][] = [
  ['301b0609608648016503040106300e040c5c79058ba2f43447639d29e2', '2124ffb29fac4e0fbbc7d5d87492bff3', 'aes-128-gcm'],
  ['301d06096086480165030401020410651f722ffd512c52fe072e507d72b377', '9cd102c52f1e19ece8729b35bfeceb50', 'aes-128-cbc'],
]
const CEK_HKDF = '1.2.840.113549.1.9.16.3.31'

for (const [algorithm, derived, name] of bindings)
  test(`a content key that is bound to ${name} (RFC 9709 appendix B)`, () => {
    const read = readContentCipher({ oid: CEK_HKDF, parameters: Buffer.from(algorithm, 'hex') })
    assert(read.ok && read.value.row.name === name)
    const key = keyForCipher(read.value, Buffer.from('c702e7d0a9e064b09ba55245fb733cf3', 'hex'))
    assert.equal(Buffer.from(key).toString('hex'), derived)
  })

test('a binding to nothing, to something unknown, or to a binding is refused', () => {
  const unknown = sequence(oidDer('1.2.3'))
  const nested = sequence(oidDer(CEK_HKDF), unknown)
  assert.equal(readContentCipher({ oid: CEK_HKDF }).ok, false)
  for (const parameters of [nonce(12), unknown, nested])
    assert.equal(readContentCipher({ oid: CEK_HKDF, parameters }).ok, false)
})
