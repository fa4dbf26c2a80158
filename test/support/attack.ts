/** The people of test/attacks/ and the mails between them: Alice writes, Bob reads, Mallory holds what passes on the wire. */
import { encodeBase64Lines } from '../../src/message/encode.ts'
import { type Received, protectedMail, receive } from './protected-mail.ts'
import { smimeIdentity } from './smime-identity.ts'
import { ALICE, MALLORY, headerOf } from './tampering.ts'

const BOB = 'bob@biglobe.example'
export const SECRET = 'Please pay 100 yen to account 1234567.'
export const alice = smimeIdentity('p256', ALICE)
export const mallory = smimeIdentity('p256', MALLORY)
/** RSA, so that the attacker can make EnvelopedData by hand. */
export const bob = smimeIdentity('rsa-2048', BOB)

/** The header of a mail to Bob, without MIME fields. */
export const headerFrom = (from: string): string =>
  headerOf(from, BOB, '<1@peer.example>').replace(/^Content-Type: .*\r\n/m, '')

const encoded = (cms: Uint8Array): string => Buffer.from(encodeBase64Lines(cms)).toString('latin1')

/** A part or the body of a mail that carries CMS, with its MIME fields in front. */
export const cmsEntity = (smimeType: string, cms: Uint8Array): string =>
  `Content-Type: application/pkcs7-mime; smime-type=${smimeType}; name=smime.p7m\r\n` +
  `Content-Transfer-Encoding: base64\r\n\r\n${encoded(cms)}`

/** multipart/signed around `entity`, whose header and body are signed as they are. */
export const clearSigned = (entity: string, cms: Uint8Array, boundary = 'signed'): string =>
  `Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="${boundary}"\r\n\r\n` +
  `--${boundary}\r\n${entity}\r\n--${boundary}\r\n` +
  'Content-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\n' +
  `${encoded(cms)}\r\n--${boundary}--\r\n`

export const multipart = (subtype: string, parts: readonly string[], boundary = 'mixed'): string =>
  `Content-Type: multipart/${subtype}; boundary="${boundary}"\r\n\r\n` +
  `${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`

export const mailFrom = (from: string, entity: string): Buffer =>
  Buffer.from(`${headerFrom(from)}MIME-Version: 1.0\r\n${entity}`, 'latin1')

/** What becomes of a mail at Bob's provider, which knows Alice and Mallory by their certificates. */
export const receivedByBob = (mail: Buffer): Received =>
  receive(mail, {
    keys: [bob],
    known: [alice, mallory].map(({ certificate }) => ({ certificate, trust: 'confirmed' as const })),
  })

/** What Bob is shown; nothing when the mail is refused. */
export function shown({ report, decision }: Received): string {
  if (decision.action !== 'accept' || report.message === undefined) return ''
  return Buffer.from(report.message).toString('latin1')
}

/** What Alice's mail program sends to Bob, without any header protection. */
export const alicesEntity = (layering: 'encrypt' | 'sign' | 'sign-encrypt', body: string = SECRET): string => {
  const mail = protectedMail({
    layering: layering === 'encrypt' ? 'encrypt-sign' : layering,
    signer: alice,
    recipients: [bob],
    header: headerOf(ALICE, BOB, '<1@peer.example>'),
    body: `${body}\r\n`,
    headerProtection: false,
  }).toString('latin1')
  const entity = mail.slice(mail.search(/^Content-Type:/m))
  if (layering !== 'encrypt') return entity
  const [, boundary = ''] = /boundary="([^"]+)"/.exec(entity) ?? []
  return entity.split(`--${boundary}`)[1]?.slice(2, -2) ?? ''
}
