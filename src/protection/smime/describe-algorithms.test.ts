import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DIGESTS } from './algorithms.ts'
import { describeAlgorithms } from './describe-algorithms.ts'
import { SIGNATURES } from './signature-algorithms.ts'

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

test('every digest and every signature has a row, and what is weak says since when', () => {
  const lines = describeAlgorithms().split('\n')
  for (const { oid, weak } of [...DIGESTS, ...SIGNATURES]) {
    const rows = lines.filter((line) => line.includes(` ${oid} `))
    assert.equal(rows.length, 1, oid)
    if (weak !== undefined) assert.ok(rows[0]?.includes(`${weak.since}: ${weak.source}`), oid)
  }
  assert.match(lines.find((line) => line.startsWith('| rsa-pkcs1-sha1 ')) ?? '', /2011: RFC 6194/)
})
