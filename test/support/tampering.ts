/**
 * What somebody on the wire can do to a mail from alice@peer.example to one of ours, and what must become of it. Each
 * makes its own mail; `id` goes into the Message-ID.
 */
import { der } from '../../src/protection/smime/asn1/der-writer.ts'
import { TAG } from '../../src/protection/smime/asn1/tlv.ts'
import type { EncryptionChoice } from '../../src/protection/standard.ts'
import type { Layering } from '../../src/protection/wrap.ts'
import {
  ENVELOPE,
  SIGNATURE,
  SIGNERS,
  bendCms,
  fieldAt,
  rebuild,
  rejoined,
  replace,
  signedAnew,
  stripped,
  withCertificates,
} from './mail-surgery.ts'
import { base64Range, cmsOf, protectedMail } from './protected-mail.ts'
import type { SmimeIdentity } from './smime-identity.ts'

export const ALICE = 'alice@peer.example'
export const MALLORY = 'mallory@evil.example'
export const BODY = 'Please pay 100 yen to account 1234567.\r\n'

export interface People {
  readonly alice: SmimeIdentity
  readonly mallory: SmimeIdentity
  /** The recipient's public part. */
  readonly bob: Pick<SmimeIdentity, 'certificate'>
  readonly bobAddress: string
}

export type Makes = (layering: Layering, more?: { from?: string; encryption?: EncryptionChoice }) => Buffer

/** `refused`: 550 5.7.7. `malformed`: 554 5.6.0. `valid`: it makes no difference. `not verified`: no longer called signed. */
export type Fate = 'refused' | 'malformed' | 'valid' | 'not verified'

export interface Tampering {
  readonly what: string
  readonly fate: Fate
  /** In the log: why it was refused. */
  readonly why?: RegExp
  make(mail: Makes, people: People): Buffer
}

/** What Alice's provider sends. */
export function alicesMail(people: People, id: string): Makes {
  return (layering, { from = ALICE, encryption = {} } = {}) =>
    protectedMail({
      layering,
      signer: people.alice,
      recipients: [{ ...people.bob, key: people.alice.key, chain: [] }],
      header: headerOf(from, people.bobAddress, id),
      body: BODY,
      encryption,
    })
}

export const headerOf = (from: string, to: string, id: string): string =>
  [
    `From: ${from}`,
    `To: ${to}`,
    'Subject: Contract',
    'Date: Sun, 22 Nov 2026 00:00:00 +0000',
    `Message-ID: ${id}`,
    'Content-Type: text/plain; charset=us-ascii',
    '',
  ].join('\r\n')

const extra = Buffer.from('Content-Type: text/html\r\n\r\n<b>Pay 9999 yen</b>')

const changed = /changed after it was signed|does not/

export const TAMPERINGS: readonly Tampering[] = [
  // the signature and what it says
  { what: 'nothing, encrypt-sign', fate: 'valid', make: (mail) => mail('encrypt-sign') },
  { what: 'nothing, sign-encrypt', fate: 'valid', make: (mail) => mail('sign-encrypt') },
  { what: 'nothing, triple', fate: 'valid', make: (mail) => mail('triple') },
  { what: 'nothing, sign', fate: 'valid', make: (mail) => mail('sign') },
  {
    what: 'signature value',
    fate: 'refused',
    make: (mail) => bendCms(mail('encrypt-sign'), SIGNATURE, [1, 0, 4, 0, 5]),
  },
  {
    what: 'signed digest',
    fate: 'refused',
    why: changed,
    make(mail) {
      const sent = mail('encrypt-sign')
      const { raw } = fieldAt(cmsOf(sent, SIGNATURE), [1, 0, 4, 0, 3])
      const digestAt = raw.indexOf(Buffer.from('0609 2a864886f70d010904 3122 0420'.replaceAll(' ', ''), 'hex')) + 20
      return bendCms(sent, SIGNATURE, [1, 0, 4, 0, 3], raw.length - digestAt)
    },
  },
  {
    what: 'signing time',
    fate: 'refused',
    make(mail) {
      const sent = mail('encrypt-sign')
      const { raw } = fieldAt(cmsOf(sent, SIGNATURE), [1, 0, 4, 0, 3])
      const timeAt = raw.indexOf('261122000000Z')
      return bendCms(sent, SIGNATURE, [1, 0, 4, 0, 3], raw.length - timeAt)
    },
  },
  {
    what: 'digest algorithm',
    fate: 'refused',
    make: (mail) => bendCms(mail('encrypt-sign'), SIGNATURE, [1, 0, 4, 0, 2, 0], 1),
  },
  {
    what: 'signature algorithm',
    fate: 'refused',
    make: (mail) => bendCms(mail('encrypt-sign'), SIGNATURE, [1, 0, 4, 0, 4, 0], 1),
  },
  {
    what: 'signer identifier',
    fate: 'refused',
    why: /identifier is not that of the certificate/,
    make: (mail) => bendCms(mail('encrypt-sign'), SIGNATURE, [1, 0, 4, 0, 1, 1], 1),
  },
  {
    what: 'all signers taken away',
    fate: 'refused',
    why: /nobody signed/,
    make: (mail) => rebuild(mail('sign'), (fields) => fields.with(SIGNERS, der(TAG.SET))),
  },
  // the certificate that came along
  {
    what: 'certificate, one byte',
    fate: 'refused',
    why: /none of the certificates/,
    make: (mail) => bendCms(mail('encrypt-sign'), SIGNATURE, [1, 0, 3, 0]),
  },
  {
    what: 'certificate for another of the same key, issuer and serial number',
    fate: 'refused',
    why: /none of the certificates/,
    make: (mail) => bendCms(mail('encrypt-sign'), SIGNATURE, [1, 0, 3, 0], 1),
  },
  {
    what: 'certificate for the attacker’s',
    fate: 'refused',
    why: /none of the certificates/,
    make: (mail, { mallory }) => withCertificates(mail('encrypt-sign'), mallory.certificate.encoded),
  },
  {
    what: 'certificate taken away: the real one is known here',
    fate: 'valid',
    make: (mail) => withCertificates(mail('encrypt-sign')),
  },
  {
    what: 'attacker’s certificate beside the right one',
    fate: 'valid',
    make: (mail, { alice, mallory }) =>
      withCertificates(mail('encrypt-sign'), mallory.certificate.encoded, alice.certificate.encoded),
  },
  // what is signed
  {
    what: 'ciphertext',
    fate: 'refused',
    why: changed,
    make: (mail) => bendCms(mail('encrypt-sign'), ENVELOPE, [1, 0, 2, 2]),
  },
  {
    what: 'ciphertext, triple',
    fate: 'refused',
    why: changed,
    make: (mail) => bendCms(mail('triple'), ENVELOPE, [1, 0, 2, 2]),
  },
  {
    what: 'recipient information',
    fate: 'refused',
    why: changed,
    make: (mail) => bendCms(mail('encrypt-sign'), ENVELOPE, [1, 0, 1, 0]),
  },
  {
    what: 'MIME field of the signed part',
    fate: 'refused',
    why: changed,
    make: (mail) => replace(mail('encrypt-sign'), 'filename="smime.p7m"', 'filename="smime.p7n"'),
  },
  {
    what: 'protected header field',
    fate: 'refused',
    why: changed,
    make: (mail) => replace(mail('sign'), /(\r\n--[^]*)Subject: Contract/, '$1Subject: Contrakt'),
  },
  { what: 'text', fate: 'refused', why: changed, make: (mail) => replace(mail('sign'), '100 yen', '900 yen') },
  {
    what: 'blanks at a line end',
    fate: 'refused',
    why: changed,
    make: (mail) => replace(mail('sign'), '1234567.\r\n', '1234567. \r\n'),
  },
  // an encryption outside, of which the signature inside knows nothing
  {
    what: 'ciphertext of sign-encrypt',
    fate: 'refused',
    make: (mail) => bendCms(mail('sign-encrypt', { encryption: { cipher: 'aes-256-gcm' } }), ENVELOPE, [1, 0, 2, 2]),
  },
  {
    what: 'tag of sign-encrypt',
    fate: 'refused',
    make: (mail) => bendCms(mail('sign-encrypt', { encryption: { cipher: 'aes-256-gcm' } }), ENVELOPE, [1, 0, 3]),
  },
  {
    what: 'encrypted key of sign-encrypt',
    fate: 'refused',
    make: (mail) => bendCms(mail('sign-encrypt', { encryption: { cipher: 'aes-256-gcm' } }), ENVELOPE, [1, 0, 1, 0, 3]),
  },
  {
    what: 'key identifier of sign-encrypt: nobody can open it, it stays closed',
    fate: 'not verified',
    make: (mail) => bendCms(mail('sign-encrypt'), ENVELOPE, [1, 0, 1, 0, 1], 1),
  },
  // the frame
  {
    what: 'boundary in the header',
    fate: 'refused',
    make: (mail) => replace(mail('encrypt-sign'), /boundary="=_s/, 'boundary="=_t'),
  },
  {
    what: 'boundary everywhere: it is only a frame',
    fate: 'valid',
    make: (mail) => replace(mail('encrypt-sign'), /=_sealpost/g, '=_otherpost'),
  },
  {
    what: 'Content-Type: then it is no signed mail any more',
    fate: 'not verified',
    make: (mail) => replace(mail('sign'), 'multipart/signed', 'multipart/mixed'),
  },
  {
    what: 'Content-Type twice',
    fate: 'malformed',
    make: (mail) => replace(mail('sign'), 'MIME-Version', 'Content-Type: multipart/mixed; boundary=x\r\nMIME-Version'),
  },
  {
    what: 'a header longer than anybody reads',
    fate: 'malformed',
    make: (mail) => Buffer.concat([Buffer.from('X: 1\r\n'.repeat(3000)), mail('sign')]),
  },
  { what: 'part appended', fate: 'refused', make: (mail) => rejoined(mail('encrypt-sign'), (c, s) => [c, s, extra]) },
  { what: 'part prepended', fate: 'refused', make: (mail) => rejoined(mail('encrypt-sign'), (c, s) => [extra, c, s]) },
  { what: 'part in between', fate: 'refused', make: (mail) => rejoined(mail('encrypt-sign'), (c, s) => [c, extra, s]) },
  { what: 'parts swapped', fate: 'refused', make: (mail) => rejoined(mail('encrypt-sign'), (c, s) => [s, c]) },
  { what: 'signature part removed', fate: 'refused', make: (mail) => rejoined(mail('encrypt-sign'), (c) => [c]) },
  { what: 'signed part replaced', fate: 'refused', make: (mail) => rejoined(mail('sign'), (_c, s) => [extra, s]) },
  {
    what: 'closing boundary removed',
    fate: 'refused',
    make: (mail) => replace(mail('encrypt-sign'), /--[^\r\n]*--\r\n$/, ''),
  },
  {
    what: 'preamble and epilogue: nobody is shown them',
    fate: 'valid',
    make: (mail) =>
      replace(replace(mail('sign'), /\r\n\r\n--/, '\r\n\r\nPay 9999 yen\r\n--'), /--\r\n$/, '--\r\nPay 9999 yen\r\n'),
  },
  {
    what: 'footer of a mailing list: the signed mail is a part now',
    fate: 'not verified',
    make(mail) {
      const sent = mail('sign').toString('latin1')
      const at = sent.indexOf('Content-Type')
      const outer = 'Content-Type: multipart/mixed; boundary=l\r\n\r\n--l\r\n'
      return Buffer.from(`${sent.slice(0, at)}${outer}${sent.slice(at)}\r\n--l\r\n\r\nfooter\r\n--l--\r\n`, 'latin1')
    },
  },
  // who wrote it
  {
    what: 'From outside',
    fate: 'refused',
    why: /signed by alice@peer.example, not by mallory@evil.example/,
    make: (mail) => replace(mail('encrypt-sign'), `From: ${ALICE}`, `From: ${MALLORY}`),
  },
  {
    what: 'From outside, sign-encrypt',
    fate: 'refused',
    make: (mail) => replace(mail('sign-encrypt'), `From: ${ALICE}`, `From: ${MALLORY}`),
  },
  {
    what: 'second From',
    fate: 'refused',
    why: /several From/,
    make: (mail) => replace(mail('encrypt-sign'), 'From:', `From: ${MALLORY}\r\nFrom:`),
  },
  { what: 'From removed', fate: 'refused', make: (mail) => replace(mail('encrypt-sign'), `From: ${ALICE}\r\n`, '') },
  {
    what: 'two authors',
    fate: 'refused',
    make: (mail) => replace(mail('encrypt-sign'), ALICE, `${ALICE}, ${MALLORY}`),
  },
  {
    what: 'stolen ciphertext under the attacker’s signature and name',
    fate: 'refused',
    why: /protected From is alice@peer.example/,
    make: (mail, { mallory }) =>
      replace(signedAnew(mail('encrypt-sign'), mallory), `From: ${ALICE}`, `From: ${MALLORY}`),
  },
  {
    what: 'stolen ciphertext under the attacker’s signature, in the victim’s name',
    fate: 'refused',
    why: /signed by mallory@evil.example, not by alice@peer.example/,
    make: (mail, { mallory }) => signedAnew(mail('encrypt-sign'), mallory),
  },
  {
    what: 'outer signature of triple replaced, in the attacker’s name',
    fate: 'refused',
    why: /signed by alice@peer.example, not by mallory@evil.example/,
    make: (mail, { mallory }) => replace(signedAnew(mail('triple'), mallory), `From: ${ALICE}`, `From: ${MALLORY}`),
  },
  {
    what: 'attacker’s signature beside the author’s: hers still holds',
    fate: 'valid',
    make: (mail, { alice, mallory }) => signedAnew(mail('encrypt-sign'), [mallory, alice]),
  },
  {
    what: 'signature of encrypt-sign taken off: encrypted by nobody knows whom',
    fate: 'not verified',
    make: (mail) => stripped(mail('encrypt-sign')),
  },
  {
    what: 'signature of encrypt-sign taken off, in the attacker’s name',
    fate: 'refused',
    why: /protected From is alice@peer.example/,
    make: (mail) => replace(stripped(mail('encrypt-sign')), `From: ${ALICE}`, `From: ${MALLORY}`),
  },
  {
    what: 'outer signature of triple taken off: the inner one holds',
    fate: 'valid',
    make: (mail) => stripped(mail('triple')),
  },
  {
    what: 'all of it replaced by plain text',
    fate: 'not verified',
    make(mail) {
      const sent = mail('sign').toString('latin1')
      return Buffer.from(`${sent.slice(0, sent.indexOf('MIME-Version'))}\r\nPay 9999 yen\r\n`, 'latin1')
    },
  },
  // outside of every signature: any transport may write it, and the reader is not shown it as the author's
  ...(['Received: from evil.example', `Reply-To: ${MALLORY}`, `Sender: ${MALLORY}`, `Cc: ${MALLORY}`] as const).map(
    (line): Tampering => ({
      what: `${line.split(':')[0]} added outside`,
      fate: 'valid',
      make: (mail) => replace(mail('encrypt-sign'), 'From:', `${line}\r\nFrom:`),
    }),
  ),
  {
    what: 'Subject outside',
    fate: 'valid',
    make: (mail) => replace(mail('encrypt-sign'), 'Subject: Contract', 'Subject: Cancelled'),
  },
  {
    what: 'line length of the signature’s base64',
    fate: 'valid',
    make(mail) {
      const sent = mail('encrypt-sign')
      const { start, end } = base64Range(sent, SIGNATURE)
      const lines = sent.toString('latin1', start, end).replaceAll('\r\n', '').replaceAll(/.{40}/g, '$&\r\n')
      return Buffer.concat([sent.subarray(0, start), Buffer.from(lines), sent.subarray(end)])
    },
  },
]
