/** A correspondent who reads and writes protected mail in s-nail, which calls the PKCS #7 functions of OpenSSL. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { needsAll } from '../support/apt.ts'
import { namesCipher } from '../support/cms-entity.ts'
import { type Correspondence, eachOf, startCorrespondence } from '../support/correspondence.ts'
import {
  BODY,
  type Case,
  LAYERS,
  OUTBOUND_EXTRAS,
  SUBJECT,
  casesFor,
  domainsFor,
  nameOf,
  sendAll,
  tampered,
} from '../support/correspondent-cases.ts'
import { checkReceived } from '../support/correspondent-mail.ts'
import { record } from '../support/peer-tool.ts'
import { type SNail, makeSNail } from '../support/s-nail.ts'

const OUTBOUND: readonly Case[] = [...casesFor(['sign', 'encrypt-sign', 'sign-encrypt', 'triple']), ...OUTBOUND_EXTRAS]

/** PKCS #7 knows no recipient with an EC key (one of them spoils the mail for all), no OAEP, no PSS; and an opaque signature is no mail to s-nail. */
const isBeyond = ({ layering, form, cipher, from, to, keyTransport, signature }: Case): boolean =>
  form === 'opaque' ||
  (layering !== 'sign' && (cipher === 'aes-256-gcm' || [from, to].includes('p256'))) ||
  keyTransport !== undefined ||
  signature !== undefined

const GOOD = 'was verified successfully'
const SHOWN_BODY = BODY.replaceAll('\r\n', '\n')
const INBOUND: readonly Case[] = (['sign', 'encrypt', 'sign-encrypt'] as const).flatMap((layering) =>
  (['rsa', 'p256'] as const).map((from) => ({ layering, form: 'detached', cipher: 'aes-128-cbc', from, to: 'rsa' })),
)

describe('s-nail', needsAll({ 's-nail': 's-nail', openssl: 'openssl' }), () => {
  const stack = new AsyncDisposableStack()
  let correspondence: Correspondence
  let mailer: SNail
  before(async () => {
    correspondence = stack.use(await startCorrespondence(domainsFor(OUTBOUND)))
    mailer = await makeSNail(correspondence)
  })
  after(() => stack.disposeAsync())

  test('shows what our users send, and that the outer signature is good', async (t) => {
    const mails = await sendAll(correspondence, OUTBOUND)
    const show = ([index, how]: [number, Case]): ReturnType<SNail['show']> =>
      mailer.show(mails[index] as Buffer, how.to)
    const screens = await eachOf([...OUTBOUND.entries()], show)
    for (const [index, how] of OUTBOUND.entries())
      await t.test(nameOf(how), () => {
        const { message = '', verdict = '' } = screens[index] ?? {}
        const opens = message.includes(`\n\n${SHOWN_BODY}`)
        const verifies = verdict.includes(GOOD)
        if (!isBeyond(how)) assert.deepEqual([opens, verifies], [true, true], message + verdict)
        const outside = how.subject === 'hidden' ? 0 : 1
        const isAbove = message.split(`\nSubject: ${SUBJECT}\n`).length - 1 > outside
        if (opens) assert.equal(isAbove, how.headerProtection !== false, message)
        const shown = isAbove ? 'body, header above it' : 'body'
        record(mailer.name, 'Sealpost to peer', how, { opens, verifies, shown: opens ? shown : '–' })
      })
    await t.test('and not that of what was changed on the way', async () => {
      const within = OUTBOUND.entries().filter(([, how]) => !isBeyond(how) && LAYERS[how.layering][0] === 'signed')
      const changing = [...within]
      const seen = await eachOf(changing, ([index, how]) => mailer.show(tampered(mails[index] as Buffer), how.to))
      for (const [at, [, how]] of changing.entries()) {
        assert.match(seen[at]?.verdict ?? '', /Error verifying message 1/, nameOf(how))
      }
    })
  })

  test('writes mail that our users get', async (t) => {
    for (const how of INBOUND)
      await t.test(nameOf(how), async () => {
        const { from, to, layering } = how
        const protection = { sign: layering !== 'encrypt', encrypt: layering !== 'sign' }
        const sent = await mailer.compose({ from, to, subject: SUBJECT, body: SHOWN_BODY, ...protection })
        if (protection.encrypt) assert(namesCipher(sent, how.cipher), 'another cipher')
        await checkReceived(correspondence, how, sent)
        const verifies = layering === 'encrypt' ? undefined : true
        record(mailer.name, 'peer to Sealpost', how, { opens: true, verifies, shown: 'body' })
      })
  })
})
