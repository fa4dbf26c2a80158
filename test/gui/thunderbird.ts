/**
 * A correspondent who reads and writes protected mail in Thunderbird. Too big a package for each run of the tests:
 * `tools/interop-table.ts --gui` runs it, and keeps what it saw.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { needsAll } from '../support/apt.ts'
import { namesCipher } from '../support/cms-entity.ts'
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
import { type Correspondence, startCorrespondence } from '../support/correspondence.ts'
import { NSS_PROGRAMS } from '../support/nss.ts'
import { record } from '../support/peer-tool.ts'
import { type Shown, type Thunderbird, startThunderbird } from '../support/thunderbird.ts'

const PROGRAMS = needsAll({ ...NSS_PROGRAMS, thunderbird: 'thunderbird', openssl: 'openssl' })
const OUTBOUND: readonly Case[] = [...casesFor(['sign', 'encrypt-sign', 'sign-encrypt', 'triple']), ...OUTBOUND_EXTRAS]
const INBOUND: readonly Case[] = (['sign', 'encrypt', 'sign-encrypt'] as const).flatMap((layering) =>
  (['rsa', 'p256'] as const).map((key) => ({ layering, form: 'detached', cipher: 'aes-128-cbc', from: key, to: key })),
)
const SHOWN_BODY = BODY.replaceAll('\r\n', '\n')
/** It knows no AuthEnvelopedData, and shows no signature outside of what is encrypted. */
const isBeyond = ({ layering, cipher }: Case): boolean => layering !== 'sign' && cipher === 'aes-256-gcm'
/** The outer signature of `triple` is not looked at; of an opaque one that is where the changed byte lies. */
const showsChange = (how: Case): boolean =>
  !isBeyond(how) && how.layering !== 'encrypt-sign' && !(how.layering === 'triple' && how.form === 'opaque')

describe('Thunderbird', PROGRAMS, () => {
  const stack = new AsyncDisposableStack()
  let correspondence: Correspondence
  let thunderbird: Thunderbird
  before(async () => {
    correspondence = stack.use(await startCorrespondence(domainsFor(OUTBOUND)))
    thunderbird = stack.use(await startThunderbird(correspondence))
  })
  after(() => stack.disposeAsync())

  test('shows what our users send, and that the signature is good', async (t) => {
    const mails = await sendAll(correspondence, OUTBOUND)
    for (const [index, how] of OUTBOUND.entries())
      await t.test(nameOf(how), async () => {
        const shown = await thunderbird.show(mails[index] as Buffer)
        const [opens, verifies] = [isOpen(how, shown), shown.signature === 0]
        if (!isBeyond(how))
          assert.deepEqual([opens, verifies], [true, how.layering !== 'encrypt-sign'], JSON.stringify(shown))
        const what = shown.subject === SUBJECT ? 'body, its Subject' : `body, Subject ${shown.subject}`
        record(thunderbird.name, 'Sealpost to peer', how, { opens, verifies, shown: opens ? what : '–' })
      })
    for (const [index, how] of OUTBOUND.entries())
      if (showsChange(how))
        await t.test(`not when it was changed on the way: ${nameOf(how)}`, async () => {
          const shown = await thunderbird.show(tampered(mails[index] as Buffer))
          assert(!isOpen(how, shown) || shown.signature !== 0, JSON.stringify(shown))
        })
  })

  test('writes mail that our users get', async (t) => {
    for (const how of INBOUND)
      await t.test(nameOf(how), async () => {
        const protection = { sign: how.layering !== 'encrypt', encrypt: how.layering !== 'sign' }
        const { from, to } = how
        const sent = await thunderbird.compose({ from, to, subject: SUBJECT, body: SHOWN_BODY, ...protection })
        if (protection.encrypt) assert(namesCipher(sent, how.cipher), 'another cipher')
        await checkReceived(correspondence, how, sent)
        const verifies = how.layering === 'encrypt' ? undefined : true
        record(thunderbird.name, 'peer to Sealpost', how, { opens: true, verifies, shown: 'body' })
      })
  })
})

function isOpen({ layering }: Case, { body, encryption }: Shown): boolean {
  return body.includes(`\n${SHOWN_BODY}`) && (!LAYERS[layering].includes('encrypted') || encryption === 0)
}
