import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeOpenpgpAlgorithms } from './describe-algorithms.ts'

test('the tables of docs/algorithms-openpgp.md say what is written, what is only read, and what is weak', () => {
  const lines = describeOpenpgpAlgorithms().split('\n')
  const cellsOf = (name: string): string | undefined =>
    lines
      .find((line) => line.startsWith(`| ${name} `))
      ?.split(/\s*\|\s*/)
      .slice(1, -1)
      .join('; ')
  assert.equal(cellsOf('aes-256'), 'aes-256; 9; 256; read, write; –')
  assert.equal(cellsOf('cast5'), 'cast5; 3; 128; read; 2016: CVE-2016-2183')
  assert.equal(cellsOf('ocb'), 'ocb; 2; aes-256, aes-192, aes-128')
  assert.equal(cellsOf('ml-kem-768+x25519'), 'ml-kem-768+x25519; 35; encryption; 4, 6; –')
  assert.equal(cellsOf('sha1'), 'sha1; 2; no; 2011: RFC 6194')
})
