import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { playDialog, unescapeText } from './run-dialogs.ts'

const escapes: readonly [text: string, bytes: string, why: string][] = [
  ['a\\r\\nb', 'a\r\nb', 'line ends'],
  ['\\x00\\xff\\0', '\x00\xff\x00', 'bytes'],
  ['\\\\n', '\\n', 'a backslash'],
  ['\\*{3|ab}c', 'abababc', 'repetition'],
  ['ü', 'Ã¼', 'UTF-8'],
]
for (const [text, bytes, why] of escapes)
  test(`dialog escapes: ${why}`, () => assert.equal(unescapeText(text).toString('latin1'), bytes))

const rights: readonly [dialog: string, why: string][] = [
  ['< 220\n> QUIT\n< 221\n~ close', 'prefix and close'],
  ['<= 220 hello\n> LIST\n<. b\n> MANY\n<+ 250 two\n~ silence 20', 'exact, list, reply, silence'],
  ['< 220\n> MANY\n<+ 250 !three\n! connect\n<~ hello', 'absence, a second connection'],
]
const wrongs: readonly [dialog: string, message: RegExp][] = [
  ['< 221', /x:1: expected "221"/],
  ['< 220\n> MANY\n<+ 250 three', /x:3: expected three/],
  ['< 220\n> MANY\n<+ 250 !two', /x:3: expected !two/],
  ['< 220\n> QUIT\n~ close', /x:3: not closed/],
  ['< 220\n~ close', /x:2: waited in vain/],
  ['< 220\n> LIST\n<. c', /x:3: expected the line/],
  ['hello', /x:1: not a step/],
  ['! sing', /x:1: not an action/],
]

async function withServer(work: (port: number) => Promise<void>): Promise<void> {
  const answers: Record<string, string> = {
    'LIST\r\n': '+OK\r\na\r\nb\r\n.\r\n',
    'MANY\r\n': '250-one\r\n250 two\r\n',
    'QUIT\r\n': '221 bye\r\n',
  }
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.write('220 hello\r\n')
    socket.on('data', (chunk) => {
      const command = chunk.toString()
      socket.write(answers[command] ?? '500\r\n')
      if (command.startsWith('QUIT')) socket.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const address = server.address()
    assert(address !== null && typeof address === 'object')
    await work(address.port)
  } finally {
    server.close()
  }
}

for (const [dialog, why] of rights)
  test(`dialog holds: ${why}`, () => withServer((port) => playDialog('x', dialog, { listeners: { a: { port } } })))
for (const [dialog, message] of wrongs)
  test(`dialog fails: ${message}`, () =>
    withServer((port) =>
      assert.rejects(playDialog('x', dialog, { listeners: { a: { port } }, timeoutMs: 200 }), message),
    ))
