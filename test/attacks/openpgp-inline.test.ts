/**
 * Inline OpenPGP tricks (Müller et al., "Johnny, you are fired!", USENIX Security 2019; Marlinspike's and Böck's notes on the cleartext
 * framework; CVE-2019-10740 and its kin): a block in the midst of a text says nothing of what stands around it, in front of it, or
 * in the header of its armor. A fooled program calls the whole mail signed, or lets the block's text run into somebody else's.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { concatBytes } from '../../src/base/bytes.ts'
import { SIGNATURE_TYPE } from '../../src/protection/openpgp/signatures/signature-packet.ts'
import { SECRET } from '../support/openpgp-attack.ts'
import {
  ALICE,
  alice,
  armored,
  cleartext,
  encryptedToBob,
  literal,
  mailFrom,
  mallory,
  receivedByBob,
  signatureOver,
  signedMessage,
  textEntity,
} from '../support/openpgp-mails.ts'

const FORGED = 'Pay 9999 yen'
const by = alice.signing
const block = cleartext(SECRET, by)
const received = (text: string, type = 'text/plain; charset=utf-8') =>
  receivedByBob(mailFrom(ALICE, `Content-Type: ${type}\r\n\r\n${text}\r\n`))

test('what is attacked: a text signed in the clear, and nothing else, is valid', () => {
  const { outcome, why, shown } = received(block)
  assert.equal(outcome, 'valid', why)
  assert.ok(shown.includes(SECRET))
})

describe('a text around the block: the mail as a whole is not valid, and what was not signed stands apart', () => {
  const cases: readonly [text: string, why: string][] = [
    [`${FORGED}\r\n\r\n${block}`, 'in front'],
    [`${block}\r\n${FORGED}`, 'behind'],
    [`${block}\r\n${cleartext(FORGED, mallory.signing)}`, "another block, Mallory's"],
    [`${cleartext(FORGED, mallory.signing)}\r\n${block}`, "another block in front, Mallory's"],
    [`${block}\r\n${block}`, 'the same block again'],
    [`${' '.repeat(2000)}${FORGED}\r\n${block}`, 'far to the right'],
    [`${block}${'\r\n'.repeat(3000)}${FORGED}`, 'far below'],
    [`-----BEGIN PGP MESSAGE-----\r\n\r\n${FORGED}\r\n-----END PGP MESSAGE-----\r\n${block}`, 'a block that is none'],
    [`> ${block.replaceAll('\r\n', '\r\n> ')}\r\n${FORGED}`, 'a quotation of a block'],
  ]
  for (const [text, why] of cases)
    test(why, () => {
      const { outcome, shown } = received(text)
      assert.notEqual(outcome, 'valid')
      const [first = '', apart = ''] = shown.split('What follows was not protected')
      if (apart !== '' && text.startsWith(block)) assert.ok(!first.includes(FORGED), 'what was signed stands alone')
    })
})

describe('a block that is not what it seems', () => {
  const HARMLESS = 'what stands in the armor of the signature is not shown'
  const [head = '', ...lines] = block.split('\r\n')
  const changed = (line: string, at = 3): string => [head, ...lines.slice(0, at), line, ...lines.slice(at)].join('\r\n')
  const cases: readonly [text: string, why: string][] = [
    [block.replace('100', '9999'), 'another text'],
    [block.replace('Hash: SHA512', `Hash: SHA512\r\nComment: ${FORGED}`), 'a header that is shown as text'],
    [block.replace('Hash: SHA512', `Hash: ${FORGED}`), 'a text in the hash header'],
    [block.replace('Hash: SHA512\r\n\r\n', `Hash: SHA512\r\n${FORGED}\r\n\r\n`), 'a text in the place of a header'],
    [block.replace('Hash: SHA512\r\n\r\n', `Hash: SHA512\r\n \u00a0${FORGED}\r\n\r\n`), 'behind a blank that is none'],
    [block.replace('Hash: SHA512\r\n', `Hash: SHA512\r\n\x0b\r\n${FORGED}\r\n`), 'behind a vertical tab'],
    [changed(FORGED), 'a further line'],
    [changed(`- ${FORGED}`), 'a further line that is escaped'],
    [changed(`- -----BEGIN PGP SIGNED MESSAGE-----`), 'a beginning in the midst'],
    [changed('-----BEGIN PGP SIGNATURE-----'), 'a signature that begins too early'],
    [block.replace('-----END PGP SIG', `${FORGED}\r\n-----END PGP SIG`), HARMLESS],
    [block.replace('-----BEGIN PGP SIGNATURE-----', `-----BEGIN PGP SIGNATURE-----\r\nComment: x`), HARMLESS],
  ]
  for (const [text, why] of cases)
    test(why, () => {
      const { outcome, shown } = received(text)
      if (why === HARMLESS) assert.ok(!shown.includes('Comment: x') && !shown.includes(FORGED))
      else assert.notEqual(outcome, 'valid')
    })
})

describe('the MIME around it', () => {
  test('another charset cannot turn the signed octets into another text', () => {
    for (const charset of ['utf-7', 'utf-16', 'x-mac\r\n\tiso-2022-jp', '"utf-8\\"; name=x"']) {
      const { shown } = received(block, `text/plain; charset=${charset}`)
      const [, declared = ''] = /charset=([^;\r\n]*)/i.exec(shown.split('\r\n\r\n')[0] ?? '') ?? []
      assert.ok(['utf-8', '"utf-8"', ''].includes(declared.toLowerCase()) || !shown.includes('X-Sealpost'), declared)
    }
  })
  test('nor where the text is not UTF-8: only those in which ASCII stays ASCII are taken over', () => {
    const latin1Text = `Pay +ADE-000 \u00a5. ${SECRET}`
    const octets = Buffer.from(latin1Text, 'latin1')
    const mail = (charset: string): Buffer =>
      Buffer.concat([
        mailFrom(
          ALICE,
          `Content-Type: text/plain; charset=${charset}\r\n\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA512\r\n\r\n`,
        ),
        octets,
        Buffer.from(`\r\n${armored(signatureOver(octets, { by }, SIGNATURE_TYPE.TEXT), 'PGP SIGNATURE')}`),
      ])
    for (const [charset, declared] of [
      ['iso-8859-1', 'iso-8859-1'],
      ['utf-7', 'utf-8'],
      ['utf-16le', 'utf-8'],
      ['cp037', 'utf-8'],
      ['shift_jis', 'utf-8'],
    ]) {
      const { outcome, shown, why } = receivedByBob(mail(charset ?? ''))
      assert.equal(outcome, 'valid', why)
      assert.match(shown, new RegExp(`^Content-Type: text/plain; charset=${declared}\r$`, 'm'))
    }
  })
  test('a block in HTML is a text like any other', () => {
    const html = `<p>${FORGED}</p><div style="display:none">\r\n${block}\r\n</div>`
    assert.equal(received(html, 'text/html').signature, 'none')
  })
  test('a block in one part of several says nothing of the others', () => {
    const parts = [textEntity(block), textEntity(FORGED)]
    const body = `${parts.map((part) => `--m\r\n${part}`).join('')}--m--`
    for (const subtype of ['mixed', 'alternative', 'related'])
      assert.notEqual(received(body, `multipart/${subtype}; boundary=m`).outcome, 'valid')
  })
  test('a ciphertext between two halves of an HTML tag does not come out there', () => {
    const sealed = armored(encryptedToBob(literal(SECRET)))
    const trap = [
      'Content-Type: text/html\r\n\r\n<img src="http://evil.example/',
      textEntity(sealed),
      'Content-Type: text/html\r\n\r\n">',
    ]
    const body = `${trap.map((part) => `--m\r\n${part}\r\n`).join('')}--m--`
    assert.ok(!received(body, 'multipart/mixed; boundary=m').shown.includes(SECRET))
  })
})

describe('armor', () => {
  const message = signedMessage(textEntity(SECRET), by)
  const sealed = armored(encryptedToBob(message))
  const withHeader = (header: string): string =>
    sealed.replace('-----BEGIN PGP MESSAGE-----\r\n', `-----BEGIN PGP MESSAGE-----\r\n${header}\r\n`)
  const isOpened = (text: string): boolean =>
    receivedByBob(mailFrom(ALICE, `Content-Type: text/plain\r\n\r\n${text}`)).encrypted
  test('its headers say nothing that is shown', () => {
    for (const header of [`Comment: ${FORGED}`, `Version: <img src=x>`, `MessageID: ${FORGED}`]) {
      const { shown } = receivedByBob(mailFrom(ALICE, `Content-Type: text/plain\r\n\r\n${withHeader(header)}`))
      assert.ok(!shown.includes(FORGED) && !shown.includes('<img'))
    }
    assert.ok(isOpened(sealed) && isOpened(withHeader('Comment: x')))
  })
  test('two blocks in the place of one message are none', () => {
    const two = concatBytes([
      encryptedToBob(message),
      encryptedToBob(signedMessage(textEntity(FORGED), mallory.signing)),
    ])
    assert.notEqual(receivedByBob(mailFrom(ALICE, `Content-Type: text/plain\r\n\r\n${armored(two)}`)).outcome, 'valid')
    assert.notEqual(
      receivedByBob(mailFrom(ALICE, `Content-Type: text/plain\r\n\r\n${sealed}\r\n${sealed}`)).outcome,
      'valid',
    )
  })
})
