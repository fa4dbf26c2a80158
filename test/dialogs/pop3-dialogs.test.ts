/** Every *.pop3 file of this folder against the POP3 server alone; each file has a mailbox of its own. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { startTestPop3, TestMailbox, type TestPop3 } from '../support/pop3-server.ts'
import { dialogFiles, playDialog, playFile } from './run-dialogs.ts'
import { eventually } from '../support/eventually.ts'

const MESSAGES = [
  'From: a@b.example\r\nSubject: one\r\n\r\nfirst\r\nsecond\r\n',
  'Subject: dots\r\n\r\n.\r\n..\r\n.a\r\nnot .a\r\n.\r\nlast\r\n',
  'Subject: open end\r\n\r\nno line end',
  '',
]

const LOGIN = '< +OK\n> USER bob@abc.com\n< +OK\n> PASS correct horse\n< +OK\n'

const files = dialogFiles('.pop3')

test('there are POP3 dialogs', () => assert(files.length > 0))

for (const file of files)
  test(file, async () => {
    const mailbox = new TestMailbox()
    for (const message of MESSAGES) mailbox.add(message)
    const plain = await startTestPop3({}, mailbox)
    const others = {
      strict: await startTestPop3({ allowPlainOnLoopback: false }, mailbox),
      'no-tls': await startTestPop3({ tls: undefined }, mailbox),
      pop3s: await startTestPop3({ implicitTls: true }, mailbox),
    }
    const servers: Record<string, TestPop3> = { plain, ...others }
    const listeners = Object.fromEntries(
      Object.entries(servers).map(([name, { port }]) => [name, { port, tls: name === 'pop3s' }]),
    )
    try {
      await playFile(file, { listeners, ask: (question) => answer(question, plain) })
    } finally {
      await Promise.all(Object.values(servers).map(({ server }) => server.stop()))
    }
  })

async function answer(question: string, { port, mailbox }: TestPop3): Promise<void> {
  const [verb, ...words] = question.split(' ')
  switch (verb) {
    case 'messages':
      await sleep(20) // what must not be removed would be by then
      await eventually(() => assert.equal(mailbox.contents.size, Number(words[0])))
      return
    case 'break':
      mailbox.onRemove = () => Promise.reject(new Error('the disk is full'))
      return
    case 'another': {
      const deletions = words.slice(2).map((number) => `> DELE ${number}\n< +OK\n`)
      await playDialog(question, `${LOGIN}${deletions.join('')}> QUIT\n< +OK`, { listeners: { plain: { port } } })
      return
    }
    case undefined:
    default:
      throw new Error(`not a question: ${question}`)
  }
}
