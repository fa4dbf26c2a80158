import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { needs, needsAll } from './apt.ts'

const ci = process.env['CI']
afterEach(() => {
  if (ci === undefined) delete process.env['CI']
  else process.env['CI'] = ci
})

test('a program that is there does not skip', () => {
  assert.deepEqual(needs('sh', 'dash'), { skip: false })
  assert.deepEqual(needsAll({ sh: 'dash', cat: 'coreutils' }), { skip: false })
})

test('a missing program skips locally and names the apt line', () => {
  delete process.env['CI']
  const missing = 'no-such-program is missing: apt-get install -y nosuch'
  assert.deepEqual(needs('no-such-program', 'nosuch'), { skip: missing })
  assert.deepEqual(needsAll({ sh: 'dash', 'no-such-program': 'nosuch' }), { skip: missing })
})

test('a missing program fails in CI', () => {
  process.env['CI'] = 'true'
  assert.throws(() => needs('no-such-program', 'nosuch'), /apt-get install -y nosuch/)
})
