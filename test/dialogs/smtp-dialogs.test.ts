/** Every *.smtp file of this folder against the SMTP listeners alone. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { reply } from '../../src/protocol/smtp-reply.ts'
import { startTestSmtp, type TestSmtp } from '../support/smtp-server.ts'
import { dialogFiles, playFile } from './run-dialogs.ts'

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

test('there are SMTP dialogs', () => assert(files.length > 0))

for (const file of files)
  test(file, async () => {
    const server = await startTestSmtp({ limits: LIMITS })
    try {
      await playFile(file, { listeners: server.dialogListeners, ask: (question) => answer(question, server) })
    } finally {
      await server.stop(0)
    }
  })

/** `? mails N`, `? mail TEXT` (in the last one), `? from`, `? to`, `? protocol`, `? aborted N`, `? event TEXT`, `? fail`. */
async function answer(question: string, server: TestSmtp): Promise<void> {
  const verb = question.split(' ')[0] ?? ''
  const rest = question.slice(verb.length + 1)
  const last = server.mails.at(-1)
  await sleep(20) // a dropped connection needs a moment to be noticed
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
