import assert from 'node:assert/strict'
import diagnostics from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { afterEach, test } from 'node:test'
import * as events from './events.ts'
import { createLogger } from './log.ts'
import * as mailEvents from './mail-events.ts'

afterEach(() => events.setEventLog(undefined))

function capture(say: () => void): { published: unknown[]; logged: Record<string, unknown>[] } {
  const published: unknown[] = []
  const logged: Record<string, unknown>[] = []
  const listen = (message: unknown) => void published.push(message)
  diagnostics.subscribe(events.EVENT_CHANNEL, listen)
  events.setEventLog(
    createLogger('info', { write: (line) => void logged.push(JSON.parse(line) as Record<string, unknown>) }),
  )
  say()
  diagnostics.unsubscribe(events.EVENT_CHANNEL, listen)
  return { published, logged }
}

test('ready is the line that scripts wait for', () => {
  const listeners = { mx: { host: '127.0.0.1', port: 2525 }, pop3: { host: '::1', port: 110 } }
  const { published, logged } = capture(() => events.ready({ listeners }))
  assert.deepEqual(published, [{ event: 'ready', listeners }])
  assert.equal(logged[0]?.['event'], 'ready')
  assert.deepEqual(logged[0]?.['listeners'], listeners)
  assert.equal(logged[0]?.['msg'], 'ready: mx on 127.0.0.1:2525, pop3 on ::1:110')
})

test('text from a peer cannot forge log lines', () => {
  const name = `x\n{"event":"ready"}${'y'.repeat(5000)}`
  const { logged } = capture(() => events.loginFailed({ by: 'pop3', name, peerAddress: '127.0.0.1' }))
  assert.equal(logged.length, 1)
  assert.equal(logged[0]?.['level'], 'warn')
  assert.ok(String(logged[0]?.['name']).length <= 500)
  assert.ok(!String(logged[0]?.['msg']).includes('\n'))
})

test('without a log events are published all the same', () => {
  const published: unknown[] = []
  const listen = (message: unknown) => void published.push(message)
  diagnostics.subscribe(events.EVENT_CHANNEL, listen)
  events.stored({ messageId: '<1@x.example>', recipient: 'a@b.example', sizeBytes: 1 })
  diagnostics.unsubscribe(events.EVENT_CHANNEL, listen)
  assert.deepEqual(published, [{ event: 'stored', messageId: '<1@x.example>', recipient: 'a@b.example', sizeBytes: 1 }])
})

test('a listener that stops the process synchronously does so after the line is written', () => {
  const { logged, published } = capture(() => events.trouble({ during: 'commit', error: new Error('disk full') }))
  assert.equal(logged[0]?.['msg'], 'commit: disk full')
  assert.equal(published.length, 1)
})

test('every name is said by one function, and is unlike the others', () => {
  const names = Object.values(events.EVENT)
  assert.equal(new Set(names).size, names.length)
  const functions = new Set([...Object.keys(events), ...Object.keys(mailEvents)])
  const words = (name: string): string => name.replaceAll(/-(.)/g, (_dash, letter: string) => letter.toUpperCase())
  assert.deepEqual(
    names.filter((name) => !functions.has(words(name))),
    [],
  )
})

test('docs/operating/logs-and-events.md explains every event', () => {
  const manual = readFileSync(new URL('../../docs/operating/logs-and-events.md', import.meta.url), 'utf8')
  const rows = [...manual.matchAll(/^\| `([\w-]+)`/gm)].map((match) => match[1])
  assert.deepEqual(new Set(rows), new Set<string | undefined>(Object.values(events.EVENT)))
  assert.equal(rows.length, Object.values(events.EVENT).length)
})
