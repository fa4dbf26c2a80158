import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { OperationRefused } from '../admin/desk.ts'
import { explainError, harmless, spanOf } from './output.ts'

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

const texts: readonly [text: string, shown: string, why: string][] = [
  ['Anna\tBob\r\nÖ 漢 🙂\n', 'Anna\tBob\r\nÖ 漢 🙂\n', 'text is left as it is'],
  ['\x1b]0;root@host\x07', '\\u001b]0;root@host\\u0007', 'a title'],
  ['\x9b2J', '\\u009b2J', 'the same in one octet'],
  ['good\rbad ', 'good\\u000dbad ', 'a line over a line'],
  ['a\b\x7f\0', 'a\\u0008\\u007f\\u0000', 'other controls'],
  ['alice@\u202eelpmaxe', 'alice@\\u202eelpmaxe', 'text turned round'],
]
for (const [text, shown, why] of texts) test(`on a terminal: ${why}`, () => assert.equal(harmless(text), shown))

test('how long, as people say it', () => {
  const cases = {
    0: '0 s',
    [119_000]: '119 s',
    [120_000]: '2 min',
    [119 * 60_000]: '119 min',
    [47 * 3_600_000]: '47 h',
  }
  for (const [ms, text] of Object.entries(cases)) assert.equal(spanOf(Number(ms)), text)
  assert.equal(spanOf(5 * 86_400_000), '5 d')
})
