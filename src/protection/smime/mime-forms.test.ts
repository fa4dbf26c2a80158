import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compressedData } from '../../../test/support/compressed.ts'
import { fixedIdentity } from '../../../test/support/smime-identity.ts'
import { Collector } from '../../base/byte-sink.ts'
import { concatBytes, latin1, utf8 } from '../../base/bytes.ts'
import { parsePart } from '../../message/parse.ts'
import { type SmimeForm, smimeFormOf } from './mime-forms.ts'
import { smime } from './smime.ts'

const sealed = base64Of()
const compressed = Buffer.from(compressedData(Buffer.from('x'))).toString('base64')
const cases: readonly [
  type: string,
  body: string,
  byLabel: SmimeForm | undefined,
  byContent: SmimeForm | undefined,
  why: string,
][] = [
  [
    'application/pkcs7-mime; smime-type=enveloped-data',
    sealed,
    'enveloped-data',
    'enveloped-data',
    'label and content',
  ],
  ['application/pkcs7-mime; name=smime.p7m', sealed, 'enveloped-data', 'enveloped-data', 'no smime-type'],
  ['application/pkcs7-mime; smime-type=signed-data', sealed, 'enveloped-data', 'enveloped-data', 'a wrong smime-type'],
  ['application/x-pkcs7-mime', sealed, 'enveloped-data', 'enveloped-data', 'the old type'],
  ['application/octet-stream; name=a.p7m', sealed, 'enveloped-data', 'enveloped-data', 'a file name only'],
  ['application/pkcs7-mime; smime-type=enveloped-data', 'in the clear', 'enveloped-data', undefined, 'a label only'],
  ['application/pkcs7-mime; smime-type=authEnveloped-data', '', 'auth-enveloped-data', undefined, 'no content'],
  ['application/pkcs7-mime; smime-type=certs-only', sealed, undefined, undefined, 'certificates only'],
  ['application/octet-stream; name=a.p7m', 'in the clear', undefined, undefined, 'a file name and no CMS'],
  ['text/plain', sealed, undefined, undefined, 'text'],
  ['application/pkcs7-mime', compressed, 'compressed-data', 'compressed-data', 'compressed'],
  [
    'application/octet-stream; name=A.P7Z',
    compressed,
    'compressed-data',
    'compressed-data',
    'compressed, a file name only',
  ],
  ['multipart/signed; protocol="application/PKCS7-signature"', '', 'multipart/signed', 'multipart/signed', 'signed'],
  [
    'multipart/signed; protocol="application/x-pkcs7-signature"',
    '',
    'multipart/signed',
    'multipart/signed',
    'the old protocol',
  ],
  ['multipart/signed; micalg=sha-256', '', 'multipart/signed', 'multipart/signed', 'signed, without a protocol'],
  ['multipart/signed; micalg=pgp-sha256', '', undefined, undefined, 'signed with OpenPGP, without a protocol'],
  ['multipart/signed; protocol="application/pgp-signature"; micalg=sha-256', '', undefined, undefined, 'OpenPGP'],
]
for (const [type, body, byLabel, byContent, why] of cases)
  test(`what an entity is: ${why}`, () => {
    const part = parsePart(utf8(`Content-Type: ${type}\r\nContent-Transfer-Encoding: base64\r\n\r\n${body}`))
    assert.equal(smimeFormOf(part), byLabel)
    assert.equal(smimeFormOf(part, 'content'), byContent)
  })

function base64Of(): string {
  const out = new Collector()
  const { sink } = smime.encrypt([fixedIdentity('bob@example.com', 8).certificate], {}, 0, out)
  sink.write(utf8('Content-Type: text/plain\r\n\r\nHello\r\n'))
  sink.end()
  return latin1(concatBytes(out.take()))
}
