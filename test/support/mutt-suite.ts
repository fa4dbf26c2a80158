/**
 * The tests of mutt and its descendant neomutt as a correspondent's mail reader, against the running server: with GPGME
 * and gpgsm, and in the older way with openssl.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { needsAll } from './apt.ts'
import { namesCipher } from './cms-entity.ts'
import {
  BODY,
  type Case,
  LAYERS,
  SUBJECT,
  FEW_OUTBOUND,
  domainsFor,
  nameOf,
  sendAll,
  tampered,
} from './correspondent-cases.ts'
import { checkReceived } from './correspondent-mail.ts'
import { type KeyKind } from './correspondent.ts'
import { type Correspondence, eachOf, ourAddress, startCorrespondence } from './correspondence.ts'
import { type GpgsmHome, makeGpgsmHome } from './gpgsm.ts'
import { type Mutt, type MuttBackend, makeMutt } from './mutt.ts'
import type { MuttProgram } from './mutt-terminal.ts'
import { record } from './peer-tool.ts'

const OTHER_PROGRAMS = {
  script: 'bsdutils',
  gpgsm: 'gpgsm',
  'gpg-agent': 'gpg-agent',
  openssl: 'openssl',
}

const PLAIN = { form: 'detached', cipher: 'aes-256-cbc', from: 'rsa', to: 'rsa' } as const
/**
 * Neither way of mutt knows smime-type=authEnveloped-data; the older one looks for a key before it has seen the inner
 * layer, and has `openssl smime` verify, which is PKCS #7 and knows no RSA-PSS.
 */
const BEYOND: Readonly<Record<MuttBackend, (how: Case) => boolean>> = {
  gpgme: ({ layering, cipher, to, keyTransport }) =>
    layering !== 'sign' && (cipher === 'aes-256-gcm' || to === 'p256' || keyTransport !== undefined),
  openssl: ({ layering, cipher, form, signature }) =>
    signature !== undefined ||
    cipher === 'aes-256-gcm' ||
    (form === 'opaque' && LAYERS[layering].join(' ').startsWith('signed encrypted')),
}

const GOOD: Readonly<Record<MuttBackend, (from: KeyKind) => string>> = {
  gpgme: (from) => `Good signature from: CN=${ourAddress(from)}\n`,
  openssl: () => 'Verification successful\n',
}

/** What each way encrypts with, when it is told nothing. */
const CIPHER = { gpgme: 'aes-128-cbc', openssl: 'aes-256-cbc' } as const

const count = (text: string, what: string): number => text.split(what).length - 1
const signaturesOf = ({ layering }: Case): number => LAYERS[layering].filter((layer) => layer === 'signed').length
/** As mutt shows text: line ends are LF. */
const SHOWN_BODY = BODY.replaceAll('\r\n', '\n')

const INNER_SUBJECT = new RegExp(`--\\]\\n+Subject: ${SUBJECT}\\n\\n`)

export function describeMutt(program: MuttProgram): void {
  describe(program, needsAll({ [program]: program, ...OTHER_PROGRAMS }), () => muttTests(program))
}

function muttTests(program: MuttProgram): void {
  const stack = new AsyncDisposableStack()
  let correspondence: Correspondence
  let gpgsm: GpgsmHome
  let mails: Buffer[]
  before(async () => {
    correspondence = stack.use(await startCorrespondence(domainsFor(FEW_OUTBOUND)))
    gpgsm = stack.use(await makeGpgsmHome(correspondence))
    mails = await sendAll(correspondence, FEW_OUTBOUND)
  })
  after(() => stack.disposeAsync())

  for (const backend of ['gpgme', 'openssl'] as const) {
    const muttFor = (reads: KeyKind): Promise<Mutt> => makeMutt(program, backend, correspondence, gpgsm, reads)

    test(`with ${backend}: shows what our users send, and that the signature is good`, async (t) => {
      const mutts = { rsa: await muttFor('rsa'), p256: await muttFor('p256') }
      const screens = await eachOf([...FEW_OUTBOUND.entries()], ([index, how]) =>
        mutts[how.to].show(mails[index] as Buffer),
      )
      for (const [index, how] of FEW_OUTBOUND.entries())
        await t.test(nameOf(how), () => {
          const { message = '', terminal = '' } = screens[index] ?? {}
          const opens = message.includes(`\n${SHOWN_BODY}`)
          const verified = count(message, GOOD[backend](how.from))
          if (!BEYOND[backend](how)) {
            assert(opens, `${message}\n${terminal}`)
            assert.equal(verified, signaturesOf(how), message)
          }
          const shown = INNER_SUBJECT.test(message) ? 'body, inner Subject above it' : 'body'
          if (opens) assert.equal(shown === 'body', how.headerProtection === false, message)
          const peer = mutts[how.to].name
          record(peer, 'Sealpost to peer', how, { opens, verifies: verified > 0, shown: opens ? shown : '–' })
        })
      await t.test('and not that of what was changed on the way', async () => {
        const changing = [...FEW_OUTBOUND.entries()].filter(
          ([, how]) => !BEYOND[backend](how) && how.from === 'rsa' && how.to === 'rsa' && how.form === 'detached',
        )
        const seen = await eachOf(changing, ([index]) => mutts.rsa.show(tampered(mails[index] as Buffer)))
        for (const [at, [, how]] of changing.entries()) {
          const message = seen[at]?.message ?? ''
          assert(message.length > 0, 'mutt shows nothing at all')
          assert(count(message, GOOD[backend](how.from)) < signaturesOf(how), `${nameOf(how)}: ${message}`)
        }
      })
    })

    test(`with ${backend}: says so on the screen`, async () => {
      const mutt = await muttFor('rsa')
      const { terminal } = await mutt.show(mails[0] as Buffer, 'own')
      assert.match(terminal, /Guten Tag, Welt! é 日本/)
      assert.match(terminal, /S\/MIME signature successfully verified/)
    })

    composeTests(backend, () => correspondence, muttFor)
  }
}

function composeTests(
  backend: MuttBackend,
  correspondence: () => Correspondence,
  muttFor: (reads: KeyKind) => Promise<Mutt>,
): void {
  for (const key of ['rsa', 'p256'] as const)
    for (const layering of ['sign', 'encrypt', 'sign-encrypt'] as const) {
      if (backend === 'gpgme' && key === 'p256' && layering !== 'sign') continue // gpgsm 2.2 does not encrypt to EC keys
      const how: Case = { ...PLAIN, cipher: CIPHER[backend], layering, from: key, to: key }
      test(`with ${backend}: writes mail that our users get: ${nameOf(how)}`, async () => {
        const mutt = await muttFor(key)
        const protection = { sign: layering !== 'encrypt', encrypt: layering !== 'sign' }
        const text = { subject: SUBJECT, body: SHOWN_BODY }
        const sent = await mutt.compose({ from: key, to: key, ...text, ...protection })
        assert.equal(sent.includes('Guten Tag'), layering === 'sign')
        if (layering !== 'sign') assert(namesCipher(sent, how.cipher), `mutt uses another cipher than ${how.cipher}`)
        await checkReceived(correspondence(), how, sent)
        const verifies = layering === 'encrypt' ? undefined : true
        record(mutt.name, 'peer to Sealpost', how, { opens: true, verifies, shown: 'body' })
      })
    }
}
