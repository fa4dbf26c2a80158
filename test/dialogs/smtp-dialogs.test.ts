/** Every *.smtp file of this folder against the SMTP listeners alone. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { reply } from '../../src/protocol/smtp-reply.ts'
import { startTestSmtp, type TestSmtp } from '../support/smtp-server.ts'
import { dialogFiles, playFile } from './run-dialogs.ts'
import { eventually } from '../support/eventually.ts'

const ROOT = join(import.meta.dirname, '../..')
const LIMITS = {
  messageMaxBytes: 100_000,
  headerMaxBytes: 20_000,
  lineMaxBytes: 10_000,
  recipientsMax: 3,
  idleCommandsMax: 15,
  errorsMax: 8,
  idleTimeoutMs: 1_500,
}

const files = dialogFiles('.smtp')
/** All that was answered in them. */
const heard = new Set<string>()

test('there are SMTP dialogs', () => assert(files.length > 0))

for (const file of files)
  test(file, async () => {
    const server = await startTestSmtp({ limits: LIMITS })
    try {
      await playFile(file, {
        listeners: server.dialogListeners,
        ask: (question) => answer(question, server),
        onLine: (line) => heard.add(line.replace(/^(\d{3})-/, '$1 ')),
      })
    } finally {
      await server.stop(0)
    }
  })

/** Replies that need more than one session, or time: where they are. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  '421 4.3.2 Too many connections, try again later': 'src/receive/admission.test.ts',
  '421 4.7.0 Too many connections from your address': 'test/receive/sessions.test.ts',
  '421 4.3.2 The server is stopping, try again later': 'test/receive/sessions.test.ts',
  '421 4.4.2 Session too long': 'test/receive/sessions.test.ts',
  '421 4.4.2 Too slow, try again later': 'test/attacks/slow-clients.test.ts',
  '421 4.7.0 Too many connections from your address in a minute, try again later': 'test/receive/guards.test.ts',
  '421 4.3.2 Too busy, try again later': 'test/receive/guards.test.ts',
  '450 4.7.1 Too many unknown recipients in a minute, try again later': 'test/receive/guards.test.ts',
  '450 4.7.1 Too many ': 'test/receive/guards.test.ts',
  '451 4.3.2 Too busy, try again later': 'test/receive/guards.test.ts',
  '452 4.3.1 Not enough disk space, try again later': 'test/receive/guards.test.ts',
}

test('every reply that the code can give is heard in a dialog', () => {
  const replies = repliesInCode()
  assert(replies.size > 60, `${replies.size} replies found`)
  const unheard = [...replies].filter(
    (reply) => !(reply in ELSEWHERE) && ![...heard].some((line) => line.startsWith(reply)),
  )
  assert.deepEqual(unheard, [])
  for (const [reply, file] of Object.entries(ELSEWHERE)) {
    assert(replies.has(reply), `${reply} is not there any more`)
    const code = reply.slice(0, reply.indexOf(' ', 4))
    assert(readFileSync(join(ROOT, file), 'utf8').replaceAll('\\.', '.').includes(code), `${file} has no ${code}`)
  }
})

/** Code, enhanced code, and the text as far as it is always the same. */
function repliesInCode(): Set<string> {
  const sources = [...globSync('src/receive/*.ts', { cwd: ROOT }), 'src/protocol/smtp-path.ts']
  const code = sources
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
  const calls = code.join('\n').matchAll(/(?:reply|answer)\(\s*(\d{3}),\s*'([\d.]*)',\s*(?:'([^']*)'|`([^`$]*))?/g)
  return new Set(
    Array.from(calls, ([, number, enhanced, text, beginning]) =>
      [number, ...(enhanced === '' ? [] : [enhanced]), text ?? beginning ?? ''].join(' '),
    ),
  )
}

/** `? mails N`, `? mail TEXT` (in the last one), `? from`, `? to`, `? protocol`, `? client ADDRESS HELO`, `? aborted N`, `? event TEXT`, `? fail`. */
async function answer(question: string, server: TestSmtp): Promise<void> {
  await sleep(20) // what must not be would be seen by then
  await eventually(() => answerNow(question, server))
}

function answerNow(question: string, server: TestSmtp): void {
  const verb = question.split(' ')[0] ?? ''
  const rest = question.slice(verb.length + 1)
  const last = server.mails.at(-1)
  switch (verb) {
    case 'mails':
      return assert.equal(server.mails.length, Number(rest))
    case 'mail':
      return assert.equal(JSON.stringify(last?.content).slice(1, -1), rest)
    case 'bytes':
      return assert.equal(last?.content.length, Number(rest))
    case 'envelope':
      return assert.deepEqual(last?.envelope, JSON.parse(rest))
    case 'protocol':
      return assert.equal(last?.session.protocol, rest)
    case 'client':
      return assert.equal(`${last?.session.peerAddress} ${last?.session.helo}`, rest)
    case 'login':
      return assert.equal(last?.session.login, rest)
    case 'aborted':
      return assert.equal(server.aborted.length, Number(rest))
    case 'event':
      return assert(
        server.events.some((event) => event.includes(rest)),
        server.events.join('\n'),
      )
    case 'throw':
      server.onAccept = () => Promise.reject(new Error('the disk is full'))
      return undefined
    case 'refuse':
      server.onAccept = () => reply(550, '5.7.7', 'Message integrity failure')
      return undefined
    default:
      throw new Error(`not a question: ${question}`)
  }
}
