/** mutt, or neomutt, with gpg: it shows our PGP/MIME and says whose signature is good; what it writes we open. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { openpgp } from '../../src/protection/openpgp/openpgp.ts'
import { needsAll } from './apt.ts'
import { type Gpg, makeGpg } from './gpg.ts'
import { muttVersion } from './mutt.ts'
import { type MuttProgram, type MuttTerminal, muttOnTerminal } from './mutt-terminal.ts'
import { seen } from './openpgp-seen.ts'
import { type Person, TEXT, changedIn, made, open, ourPerson, personWith, signedAndEncrypted } from './openpgp-cases.ts'

const OURS = 'ours@biglobe.example'
const THEIRS = 'ed25519@example.org'

export function describeMuttPgp(program: MuttProgram): void {
  const programs = needsAll({ [program]: program, script: 'bsdutils', gpg: 'gpg', 'gpg-agent': 'gpg-agent' })
  describe(`${program} with gpg`, programs, () => {
    const stack = new AsyncDisposableStack()
    let [ours, theirs]: Person[] = []
    let mutt: MuttTerminal
    let name: string
    before(async () => {
      const gpg: Gpg = stack.use(await makeGpg())
      ours = ourPerson(OURS)
      theirs = await personWith(gpg, 'ed25519')
      await gpg.import(ours.certificate)
      name = `${program} ${await muttVersion(program)} with ${gpg.name}`
      const home = join(gpg.home, program)
      await mkdir(join(home, 'tmp'), { recursive: true })
      mutt = muttOnTerminal(program, home, gpg.home, [
        'set crypt_use_gpgme=yes crypt_autopgp=yes crypt_autosmime=no smime_is_default=no pgp_autoinline=no',
        `set pgp_sign_as="${await gpg.import(theirs.certificate)}"`,
      ])
    })
    after(() => stack.disposeAsync())
    const people = (): [ours: Person, theirs: Person] => [ours as Person, theirs as Person]

    for (const [what, layer] of [
      ['signed', ([from]) => made((out) => openpgp.sign([from.own], {}, Date.now(), out))],
      ['encrypted', ([, to]) => made((out) => openpgp.encrypt([to.own.certificate], {}, Date.now(), out))],
      ['signed and encrypted', ([from, to]) => signedAndEncrypted(from.own, {}, to.own)],
    ] as const satisfies [string, (people: [Person, Person]) => Buffer][])
      test(`it shows what we have ${what}`, async () => {
        const header = Buffer.from(`From: ${OURS}\r\nTo: ${THEIRS}\r\nSubject: Hello\r\nMIME-Version: 1.0\r\n`)
        const entity = layer(people())
        const { message, terminal } = await mutt.show(Buffer.concat([header, entity]))
        assert(message.includes(TEXT.replaceAll('\r\n', '\n')), `${message}\n${terminal}`)
        assert.equal(message.includes(`Good signature from: <${OURS}>`), what !== 'encrypted', message)
        const changed = what === 'signed' ? Buffer.from(entity.toString().replace('Welt', 'Zelt')) : changedIn(entity)
        const again = await mutt.show(Buffer.concat([header, changed]))
        assert(!again.message.includes('Good signature'), again.message)
        if (what !== 'signed') assert(!again.message.includes(TEXT.slice(-20).replaceAll('\r\n', '\n')), again.message)
        seen(name, 'forms', `shows ${what}`)
      })

    for (const sign of [true, false])
      for (const encrypt of [true, false])
        if (sign || encrypt)
          test(`we open what it writes${sign ? ', signed' : ''}${encrypt ? ', encrypted' : ''}`, async () => {
            const [{ own }, { own: author }] = people()
            const settings = [`set crypt_autosign=${yesNo(sign)} crypt_autoencrypt=${yesNo(encrypt)}`]
            const body = TEXT.replaceAll('\r\n', '\n')
            const mail = await mutt.compose({ from: THEIRS, to: OURS, subject: 'Hello', body, settings })
            const entity = Buffer.from(mail.toString('latin1').replaceAll(/\r?\n/g, '\r\n'), 'latin1')
            assert.equal(entity.includes('Guten Tag'), !encrypt)
            const opened = open(entity, own, { known: author })
            assert(opened.kind === 'signed' || opened.kind === 'decrypted', JSON.stringify(opened))
            assert.equal(opened.form, 'pgp-mime')
            assert.equal(opened.signers?.[0]?.intact, sign ? true : undefined)
            assert(Buffer.from(opened.inner.raw).includes('Guten Tag, Welt!'))
            seen(name, 'forms', `writes${sign ? ' signed' : ''}${encrypt ? ' encrypted' : ''}`)
          })
  })
}

const yesNo = (value: boolean): string => (value ? 'yes' : 'no')
