import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fromLatin1 } from '../../../base/bytes.ts'
import { parsePart } from '../../../message/parse.ts'
import { openpgp } from '../openpgp.ts'
import { type PgpForm, pgpFormOf, saysNothing } from './forms.ts'

const MESSAGE = '-----BEGIN PGP MESSAGE-----\n\nwV4D\n-----END PGP MESSAGE-----\n'
const CLEAR = '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHi\n-----BEGIN PGP SIGNATURE-----\n'
const VERSION = 'Content-Type: application/pgp-encrypted\n\nVersion: 1\n'
const FILE = 'Content-Type: application/octet-stream; name="encrypted.asc"\n\n'
const BOUNDED = '; boundary=b\n\n'
const parts = (...each: readonly string[]): string => `${each.map((one) => `--b\n${one}\n`).join('')}--b--\n`
const SIGNED = 'multipart/signed; boundary=b'

const cases: readonly [type: string, body: string, form: PgpForm | undefined, why: string][] = [
  [`${SIGNED}; protocol="application/pgp-signature"; micalg=pgp-sha256`, '', 'pgp-mime-signed', 'as it should be'],
  [`${SIGNED}; protocol="Application/PGP-Signature"`, '', 'pgp-mime-signed', 'no micalg, other case'],
  [`${SIGNED}; micalg=pgp-sha1`, '', 'pgp-mime-signed', 'no protocol, but the digest is OpenPGP’s'],
  [`${SIGNED}; protocol="application/broken"; micalg=pgp-sha1`, '', 'pgp-mime-signed', 'the protocol was spoiled'],
  [`${SIGNED}; protocol="application/pkcs7-signature"; micalg=pgp-sha1`, '', undefined, 'S/MIME, whatever the digest'],
  [`${SIGNED}; micalg=sha-256`, '', undefined, 'that is how S/MIME names it'],
  [SIGNED, '', undefined, 'nothing says what it is'],
  [
    'multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b',
    '',
    'pgp-mime-encrypted',
    'as it should be',
  ],
  [`multipart/encrypted${BOUNDED}`, parts(VERSION, FILE + MESSAGE), 'pgp-mime-encrypted', 'no protocol'],
  ['multipart/encrypted; protocol="application/other"; boundary=b', parts(VERSION), undefined, 'another protocol'],
  [`multipart/mixed${BOUNDED}`, parts('\n', VERSION, FILE), 'pgp-mime-repaired', 'an empty text in front (Exchange)'],
  [`multipart/mixed${BOUNDED}`, parts(VERSION, FILE), 'pgp-mime-repaired', 'only the type is another'],
  [
    `multipart/mixed${BOUNDED}`,
    parts('\nfooter\n', 'Content-Type: multipart/encrypted\n\n'),
    'pgp-mime-repaired',
    'Google',
  ],
  [`multipart/mixed${BOUNDED}`, parts('\nHello\n', FILE), undefined, 'a text and a file'],
  [`multipart/mixed${BOUNDED}`, parts(`\n${MESSAGE}`, FILE), 'inline-parts', 'a text that is encrypted, and a file'],
  [`multipart/mixed${BOUNDED}`, parts(`Content-Type: text/html\n\n${MESSAGE}`), undefined, 'HTML is not looked into'],
  ['text/plain', MESSAGE, 'inline-encrypted', 'a message'],
  ['text/plain', `Hello\n${MESSAGE}bye`, 'inline-encrypted', 'a message amid a text'],
  ['text/plain', CLEAR, 'inline-signed', 'signed in the clear'],
  ['application/pgp; x-action=sign', CLEAR, 'inline-signed', 'as it was called before PGP/MIME'],
  ['text/plain', `> ${MESSAGE}`, undefined, 'quoted'],
  ['text/plain', `- ${CLEAR}`, undefined, 'escaped'],
  ['text/plain', `${'x'.repeat(5000)}\n${MESSAGE}`, undefined, 'too far behind'],
  ['text/plain', '-----BEGIN PGP PUBLIC KEY BLOCK-----\n', undefined, 'a key'],
  ['text/html', MESSAGE, undefined, 'HTML is not looked into'],
  ['application/octet-stream; name=a.pdf.gpg', '\xc1\x5e\x03', 'pgp-file', 'a file with packets'],
  ['application/octet-stream; name=encrypted.asc', MESSAGE, 'pgp-file', 'a file in armor'],
  ['application/octet-stream; name=a.pdf', MESSAGE, undefined, 'a file that is called otherwise'],
  ['application/octet-stream; name=key.asc', '-----BEGIN PGP PUBLIC KEY BLOCK-----\n', undefined, 'a file with a key'],
]
describe('the form of an entity', () => {
  for (const [type, body, form, why] of cases)
    test(`${why}: ${form ?? 'none'}`, () => {
      const header = type.includes('\n') ? type : `${type}\n\n`
      for (const end of ['\n', '\r\n']) {
        const raw = `Content-Type: ${header}${body}`.replaceAll('\n', end)
        assert.equal(pgpFormOf(parsePart(fromLatin1(raw))), form)
      }
    })

  test('the transfer encoding is undone first', () => {
    const encoded = Buffer.from(MESSAGE).toString('base64')
    const raw = `Content-Transfer-Encoding: base64\n\n${encoded}`
    assert.equal(pgpFormOf(parsePart(fromLatin1(raw))), 'inline-encrypted')
    assert.equal(
      pgpFormOf(parsePart(fromLatin1(`Content-Transfer-Encoding: quoted-printable\n\n${MESSAGE.replace('-', '=2D')}`))),
      'inline-encrypted',
    )
  })
})

const ENCRYPTED = 'multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b'
const outgoing: readonly [
  type: string,
  body: string,
  content: string | undefined,
  label: string | undefined,
  why: string,
][] = [
  [ENCRYPTED, parts(VERSION, FILE + MESSAGE), 'encrypted', 'encrypted', 'encrypted by the author'],
  [ENCRYPTED, parts(VERSION, `${FILE}Hello`), undefined, 'encrypted', 'says so, and is not'],
  [ENCRYPTED, parts('\nHello', FILE + MESSAGE), undefined, 'encrypted', 'another part comes first'],
  ['text/plain', MESSAGE, undefined, undefined, 'a block: who knows what stands behind it'],
  ['text/plain', `My password is x.\n${MESSAGE}`, undefined, undefined, 'a block in a text that is not encrypted'],
  ['multipart/mixed; boundary=b', parts(VERSION, FILE + MESSAGE), undefined, undefined, 'another multipart'],
  ['multipart/mixed; boundary=b', parts(`\n${MESSAGE}`, '\nHello'), undefined, undefined, 'one part of two'],
  ['application/octet-stream; name=a.gpg', MESSAGE, undefined, undefined, 'a file'],
]
for (const [type, body, content, label, why] of outgoing)
  test(`what a client sends, ${why}: ${content ?? 'to be encrypted'}`, () => {
    const part = parsePart(fromLatin1(`Content-Type: ${type}\n\n${body}`))
    assert.equal(openpgp.recognise(part, 'content'), content)
    assert.equal(openpgp.recognise(part, 'label'), label)
  })

const texts: readonly [text: string, nothing: boolean][] = [
  ['', true],
  [' \r\n\r\n', true],
  ['\n-- \n\n', true],
  ['Empty Message\r\n', true],
  ['-- \nsent from my telephone', false],
  ['.', false],
]
for (const [text, nothing] of texts)
  test(`${JSON.stringify(text)} says ${nothing ? 'nothing' : 'something'}`, () =>
    assert.equal(saysNothing(fromLatin1(text)), nothing))
