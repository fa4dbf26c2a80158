import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress, type Address } from '../message/address.ts'
import type { Certificate } from '../protection/standard.ts'
import type { Copy } from './decide-outbound.ts'
import { explainCopy } from './explain.ts'

const BERT = parseAddress('bert@x.example') as Address
const keys = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ fingerprint: `${index}`.repeat(64) }) as unknown as Certificate)
const wrapped = (layering: 'sign' | 'triple', certificates: readonly Certificate[]): Copy => ({
  recipients: [BERT],
  protection: {
    kind: 'wrapped',
    standard: 'smime',
    layering,
    certificates,
    encryption: { cipher: 'aes-256-gcm' },
    signing: {},
    headerProtection: true,
  },
})

test('the trace of a copy names standard, layers, cipher and keys', () => {
  const cases: readonly [Copy, string][] = [
    [{ recipients: [BERT], protection: { kind: 'as-is' } }, 'bert@x.example: as it came'],
    [wrapped('sign', []), 'bert@x.example: smime, signed only'],
    [wrapped('triple', keys(1)), 'bert@x.example: smime, triple, aes-256-gcm, for keys 0000000000000000'],
  ]
  for (const [copy, text] of cases) assert.equal(explainCopy(copy), text)
  assert.match(explainCopy(wrapped('triple', keys(7))), /for keys 0{16} 1{16} 2{16} 3{16} 4{16} 2 more$/)
})
