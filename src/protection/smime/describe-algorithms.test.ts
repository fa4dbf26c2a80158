import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeAlgorithms } from './describe-algorithms.ts'

test('the tables of docs/algorithms.md say what is written, what is only read, and what is weak', () => {
  const lines = describeAlgorithms().split('\n')
  const cellsOf = (name: string): string[] | undefined =>
    lines
      .find((line) => line.startsWith(`| ${name} `))
      ?.split(/\s*\|\s*/)
      .slice(1, -1)
  assert.deepEqual(cellsOf('aes-256-gcm'), [
    'aes-256-gcm',
    '2.16.840.1.101.3.4.1.46',
    '256',
    'AuthEnvelopedData',
    'read, write',
    '–',
  ])
  assert.equal(cellsOf('des-ede3-cbc')?.slice(-2).join(', '), 'read, 2019: RFC 8551 appendix B.3')
  assert.equal(cellsOf('x25519')?.at(-1), 'HKDF with sha256')
  assert.equal(cellsOf('ml-kem-768')?.at(-1), 'aes-256-wrap')
  assert.equal(cellsOf('ml-dsa-65')?.at(-2), 'sign, verify')
})
