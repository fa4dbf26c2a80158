/**
 * imaptest's scripts against Dovecot behind Sealpost: the mails that they search, sort and take apart came in by our port 25
 * and lie in the mailbox with the fields that we and Dovecot put on top.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'
import { createTlsCertificate } from '../../src/keys/certificate-authority.ts'
import { CORPORA } from '../support/corpora.ts'
import { type Dovecot, needsDovecot, startDovecot } from '../support/dovecot.ts'
import { type ImapTalk, talkImap } from '../support/imap-client.ts'
import {
  BLOCK,
  octetsOf,
  type Script,
  type Value,
  type Variables,
  expand,
  matches,
  parseScript,
  parseValues,
} from '../support/imaptest.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { sendMail, talkSmtp } from '../support/smtp-client.ts'

const FOLDER = join(CORPORA, 'imaptest/src/tests')
const READER = 'reader@biglobe.example'
const PASSWORD = 'correct horse battery'
const MAILBOX = 'imaptest'

let dovecot: Dovecot
let provider: Provider
/** Where the mails of each mbox lie in the INBOX. */
const places = new Map<string, { from: number; count: number }>()

const mboxFile = (name: string): string => (existsSync(join(FOLDER, `${name}.mbox`)) ? `${name}.mbox` : 'default.mbox')

const mailsIn = (file: string): string[] =>
  readFileSync(join(FOLDER, file), 'latin1')
    .split(/^From .*\n/m)
    .slice(1)
    .map((mail) => mail.replaceAll('\n', '\r\n'))

/** One after the other, so that they lie in this order. */
async function deliverAll(files: readonly string[]): Promise<void> {
  let count = 0
  await using talk = await talkSmtp(provider.ports.mx)
  await talk.say('EHLO sender.example')
  for (const file of files) {
    const mails = mailsIn(file)
    places.set(file, { from: count + 1, count: mails.length })
    for (const message of mails) {
      const reply = await sendMail(talk, 'user@domain.example', {
        to: [READER],
        message: Buffer.from(message, 'latin1'),
      })
      assert.match(reply, /^250 /, `${file}: ${message}`)
      count++
      const isThere = (): boolean => provider.log.filter(({ event }) => event === 'delivered').length >= count
      await provider.event('delivered', isThere)
    }
  }
}

async function run(name: string, script: Script, t: TestContext): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const talks: ImapTalk[] = []
  for (let left = script.connections; left > 0; left--)
    talks.push(stack.use(await talkImap(dovecot.port, READER, PASSWORD)))
  const first = talks[0] as ImapTalk
  const offered = (await first.say('CAPABILITY')).untagged.join(' ').toUpperCase().split(' ')
  const lacking = script.capabilities.filter((each) => !offered.includes(each.toUpperCase()))
  if (lacking.length > 0) return t.skip(`Dovecot has no ${lacking.join(', ')}`)
  for (const reply of (await first.say('LIST "" *')).untagged) {
    const left = parseValues(reply).at(-1)
    if (left !== 'INBOX') await first.say(`DELETE "${String(left)}"`)
  }
  if (script.state !== 'auth') await first.say(`CREATE ${MAILBOX}`)
  const place = places.get(mboxFile(name)) ?? assert.fail()
  if (script.messages > 0) {
    await first.say('SELECT INBOX')
    const until = place.from + Math.min(script.messages, place.count) - 1
    await first.say(`COPY ${place.from}:${until} ${MAILBOX}`)
    await first.say('CLOSE')
  }
  if (script.state === 'selected') for (const talk of talks) await talk.say(`SELECT ${MAILBOX}`)
  const own = mailsIn(mboxFile(name))
  let appended = 0
  let variables: Variables = new Map([
    ['mailbox', MAILBOX],
    ['mailbox_url', MAILBOX],
    ['user', READER],
    ['username', READER],
  ])
  for (const step of script.steps) {
    const talk = talks[step.connection - 1] ?? assert.fail()
    const command = commandOf(expand(step.command, variables), () => own[appended++ % own.length] ?? assert.fail())
    const { tag, tagged, untagged } = await talk.say(command)
    variables = new Map([...variables, ['tag', tag]])
    const said = `${step.command}\n${[...untagged, tagged].join('\n')}`
    if (step.expected !== 'any') assert.equal(tagged.split(' ')[0]?.toLowerCase(), step.expected, said)
    const replies = untagged.map((reply) => parseValues(reply).map(withoutAdded))
    const known = [...step.wanted, ...(step.reply === '' ? [] : [`${step.expected} ${step.reply}`])]
    for (const wanted of known) {
      const expected = parseValues(wanted)
      const all = [...replies, parseValues(tagged)]
      const found = all.map((reply) => matches(expected, reply, variables)).find((each) => each !== undefined)
      assert(found !== undefined, `${wanted} is missing: ${said}`)
      variables = found
    }
    for (const banned of step.banned)
      assert(!replies.some((reply) => matches(parseValues(banned), reply, variables)), `${banned} came: ${said}`)
  }
}

/** A header without what Dovecot and we have put on top of it. */
function withoutAdded(value: Value): Value {
  if (typeof value !== 'string') return value.map(withoutAdded)
  return value.startsWith(ON_TOP) ? value.replace(ADDED, '') : value
}

const ON_TOP = 'Return-Path: '
const ADDED = /^(?:(?:Return-Path|Delivered-To|Received|Authentication-Results|X-Sealpost-Status): [^]*?\r\n(?![ \t]))+/

/** As it goes over the wire: blocks of text as literals, and behind an APPEND that brings no mail the next one. */
function commandOf(command: string, nextMail: () => string): string {
  if (/^append(?: \S+)?(?: \([^)]*\))?$/i.test(command)) {
    const mail = nextMail()
    return `${command === 'append' ? `append ${MAILBOX}` : command} {${mail.length}+}\r\n${mail}`
  }
  return command.replaceAll(new RegExp(BLOCK, 'g'), (_block, raw: string, text: string) => {
    const octets = octetsOf(raw, text)
    return `${raw}{${octets.length}+}\r\n${octets}`
  })
}

/** Scripts that cannot be run, and why. */
const BY_POSITION = 'names messages by the place that they had at first, which this runner does not follow'
const BY_ARRIVAL = 'wants mails with a time of arrival, or a size, of its own choice'
const LEFT_OUT: Readonly<Record<string, string>> = {
  'append-binary': 'expects octets that this runner does not read as they are meant',
  close: BY_POSITION,
  expunge: BY_POSITION,
  expunge2: BY_POSITION,
  'search-context-update': BY_POSITION,
  'sort-addresses': BY_ARRIVAL,
  'sort-arrival': BY_ARRIVAL,
  'sort-date': BY_ARRIVAL,
  'sort-size': BY_ARRIVAL,
  thread: BY_ARRIVAL,
  'thread-orderedsubject2': BY_ARRIVAL,
  'fetch-binary-mime': BY_ARRIVAL,
}

const names = existsSync(FOLDER)
  ? readdirSync(FOLDER, { withFileTypes: true }).flatMap((entry) =>
      entry.isFile() && !entry.name.endsWith('.mbox') ? [entry.name] : [],
    )
  : []
const skip = names.length === 0 ? { skip: 'no corpora' } : needsDovecot()

describe('imaptest', skip, () => {
  before(async () => {
    const tls = await createTlsCertificate({ hosts: ['imap.biglobe.example'], nowMs: Date.now() })
    dovecot = await startDovecot({ users: { [READER]: { password: PASSWORD } }, tls })
    const config = { mailboxes: { lmtp: dovecot.lmtp }, keys: { algorithm: 'ec-p256', openpgp: 'off' } }
    provider = await makeProvider({ domains: ['biglobe.example'], config })
    await provider.cli(['user', 'add', READER, '--password-stdin'], `${PASSWORD}\n`)
    await provider.start()
    await deliverAll([...new Set(names.map(mboxFile))])
  })
  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await dovecot?.[Symbol.asyncDispose]()
  })

  for (const name of names) {
    const script = parseScript(readFileSync(join(FOLDER, name), 'latin1'))
    const skipped = LEFT_OUT[name] ?? (script === undefined && 'its commands overlap, or are those of several users')
    test(name, { skip: skipped }, (t) => run(name, script ?? assert.fail(), t))
  }
})
