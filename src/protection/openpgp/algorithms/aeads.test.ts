import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import test from 'node:test'
import { hex } from '../../../base/bytes.ts'
import { AEADS, type AeadInput, openAead, sealAead } from './aeads.ts'
import { cipherByName } from './ciphers.ts'

interface Vector {
  readonly mode: 'eax' | 'ocb' | 'gcm'
  readonly key: string
  readonly nonce: string
  readonly associatedData: string
  readonly plaintext: string
  readonly sealed: string
  readonly source: string
}

const OCB_KEY = '000102030405060708090a0b0c0d0e0f'

const VECTORS: readonly Vector[] = [
  {
    mode: 'eax',
    key: '233952dee4d5ed5f9b9c6d6ff80ff478',
    nonce: '62ec67f9c3a4a407fcb2a8c49031a8b3',
    associatedData: '6bfb914fd07eae6b',
    plaintext: '',
    sealed: 'e037830e8389f27b025a2d6527e79d01',
    source: 'The EAX Mode of Operation, appendix G',
  },
  {
    mode: 'eax',
    key: '91945d3f4dcbee0bf45ef52255f095a4',
    nonce: 'becaf043b0a23d843194ba972c66debd',
    associatedData: 'fa3bfd4806eb53fa',
    plaintext: 'f7fb',
    sealed: '19dd5c4c9331049d0bdab0277408f67967e5',
    source: 'The EAX Mode of Operation, appendix G',
  },
  {
    mode: 'ocb',
    key: OCB_KEY,
    nonce: 'bbaa99887766554433221100',
    associatedData: '',
    plaintext: '',
    sealed: '785407bfffc8ad9edcc5520ac9111ee6',
    source: 'RFC 7253 appendix A',
  },
  {
    mode: 'ocb',
    key: OCB_KEY,
    nonce: 'bbaa99887766554433221101',
    associatedData: '0001020304050607',
    plaintext: '0001020304050607',
    sealed: '6820b3657b6f615a5725bda0d3b4eb3a257c9af1f8f03009',
    source: 'RFC 7253 appendix A',
  },
]

const octets = (text: string): Buffer => Buffer.from(text, 'hex')

function inputOf({ mode, key, nonce, associatedData }: Vector): AeadInput {
  const aead = AEADS.find(({ name }) => name === mode)
  assert(aead !== undefined)
  const cipher = cipherByName(`aes-${key.length * 4}`)
  return { aead, cipher, key: octets(key), nonce: octets(nonce), associatedData: octets(associatedData) }
}

for (const [at, vector] of VECTORS.entries())
  test(`${vector.mode} seals and opens vector ${at} of ${vector.source}`, () => {
    const input = inputOf(vector)
    assert.equal(hex(sealAead(input, octets(vector.plaintext))), vector.sealed)
    assert.equal(hex(openAead(input, octets(vector.sealed)) ?? assert.fail()), vector.plaintext)
  })

for (const aead of AEADS)
  test(`${aead.name} opens what it sealed, and nothing that was changed`, () => {
    const cipher = cipherByName('aes-256')
    const nonce = Buffer.alloc(aead.nonceBytes, 7)
    const input: AeadInput = { aead, cipher, key: Buffer.alloc(32, 1), nonce, associatedData: Buffer.from('about') }
    for (const length of [0, 1, 15, 16, 17, 32, 1000]) {
      const plaintext = Buffer.alloc(length, 'plaintext ')
      const sealed = sealAead(input, plaintext)
      assert.deepEqual(Buffer.from(openAead(input, sealed) ?? assert.fail()), plaintext)
      for (let at = 0; at < sealed.length; at += 7) {
        const changed = Buffer.from(sealed)
        changed[at] = (changed[at] ?? 0) ^ 1
        assert.equal(openAead(input, changed), undefined, `octet ${at} of ${length}`)
      }
      assert.equal(openAead({ ...input, associatedData: Buffer.from('About') }, sealed), undefined)
      assert.equal(openAead(input, sealed.subarray(0, 15)), undefined)
    }
  })
