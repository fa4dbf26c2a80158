import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LayerReport, summarise } from './summary.ts'

const found = { shown: [], header: undefined, conflict: undefined, errant: [] }
const opened = (algorithm: string, weak: boolean): LayerReport => ({
  kind: 'encrypted',
  standard: 'smime',
  form: 'enveloped-data',
  algorithm,
  ...(weak && { weak }),
  verdict: 'decrypted',
})

test('the reader is told of an encryption that is too weak, be it one of several', () => {
  const notes = (...layers: LayerReport[]): readonly string[] => summarise(layers, found).notes
  const weak = ['It was encrypted in a way that keeps it from nobody any more.']
  assert.deepEqual(notes(opened('3des-cbc', true)), weak)
  assert.deepEqual(notes(opened('aes-256-cbc', false), opened('3des-cbc', true)), weak)
  assert.deepEqual(notes(opened('aes-256-cbc', false)), [])
})
