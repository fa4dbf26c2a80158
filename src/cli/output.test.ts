import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { OperationRefused } from '../admin/desk.ts'
import { explainError } from './output.ts'

test('a port that is taken is named, with what to do', async (t) => {
  const first = createServer().listen(0, '127.0.0.1')
  t.after(() => first.close())
  await once(first, 'listening')
  const { port } = first.address() as AddressInfo
  const second = createServer().listen(port, '127.0.0.1')
  const [error] = await once(second, 'error').catch((thrown: unknown) => [thrown])
  const text = explainError(error)
  assert.match(text, new RegExp(`^Port ${port} is taken by another program`))
  assert.match(text, /"listeners"/)
})

const cases: readonly [error: unknown, expected: RegExp, why: string][] = [
  [
    Object.assign(new Error('listen EACCES'), { code: 'EACCES', syscall: 'listen', port: 25 }),
    /^Port 25 needs root or CAP_NET_BIND_SERVICE/,
    'a port that only root may open',
  ],
  [
    Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT', syscall: 'open' }),
    /^ENOENT: no such file$/,
    'a file',
  ],
  [new OperationRefused('"x" is not a domain'), /^"x" is not a domain$/, 'what an operation refuses'],
  [new TypeError('a bug'), /TypeError: a bug\n +at /, 'a bug shows where it happened'],
]
for (const [error, expected, why] of cases) test(`error: ${why}`, () => assert.match(explainError(error), expected))
