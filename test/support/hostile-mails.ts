/** Mails made to cost much or to confuse; the sizes are bytes, about. From alice@peer.example unless they say otherwise. */
import { smimeIdentity } from './smime-identity.ts'
import {
  contextTagged,
  der,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
} from '../../src/protection/smime/asn1/der-writer.ts'
import { TAG } from '../../src/protection/smime/asn1/tlv.ts'
import {
  COMMON_NAME,
  mailboxName,
  subjectAltName,
  writeName,
} from '../../src/protection/smime/x509/write-certificate.ts'
import { keyNamed, makeAuthority, makeCertificate } from './x509-maker.ts'
import { encodeBase64Lines } from '../../src/message/encode.ts'
import { ALICE } from './tampering.ts'
import { protectedMail } from './protected-mail.ts'

export interface HostileMail {
  readonly what: string
  make(sizeBytes: number, to: string): Buffer
}

const headerTo = (to: string): string => `From: ${ALICE}\r\nTo: ${to}\r\nSubject: x\r\n`
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
const repeat = (unit: Uint8Array | string, sizeBytes: number): Buffer => {
  const bytes = Buffer.from(unit)
  return Buffer.alloc(Math.max(1, Math.floor(sizeBytes / bytes.length)) * bytes.length, bytes)
}

/** A mail that is one CMS structure. */
function cmsMail(to: string, type: string, cms: Uint8Array): Buffer {
  const fields = `Content-Type: application/pkcs7-mime; smime-type=${type}\r\nContent-Transfer-Encoding: base64\r\n\r\n`
  return Buffer.concat([latin1(headerTo(to) + fields), encodeBase64Lines(cms)])
}

const SIGNED_DATA = oid('1.2.840.113549.1.7.2')
const ENVELOPED_DATA = oid('1.2.840.113549.1.7.3')
const DATA = oid('1.2.840.113549.1.7.1')
const SHA256 = sequence(oid('2.16.840.1.101.3.4.2.1'))
const AES = sequence(oid('2.16.840.1.101.3.4.1.42'), octetString(Buffer.alloc(16)))
const alice = smimeIdentity('p256', ALICE)
const sid = sequence(alice.certificate.issuer, alice.certificate.serial)

const signedData = (...rest: Uint8Array[]): Uint8Array =>
  sequence(
    SIGNED_DATA,
    contextTagged(
      0,
      sequence(integer(1), setOf([SHA256]), sequence(DATA, contextTagged(0, octetString(latin1('\r\nx')))), ...rest),
    ),
  )

const enveloped = (infos: Uint8Array, content: Uint8Array): Uint8Array =>
  sequence(ENVELOPED_DATA, contextTagged(0, sequence(integer(0), infos, sequence(DATA, AES, der(0x80, content)))))

const signerInfo = (attributes: Uint8Array, signature: Uint8Array): Uint8Array =>
  sequence(integer(1), sid, SHA256, attributes, sequence(oid('1.2.840.10045.4.3.2')), octetString(signature))

const recipientInfo = sequence(
  integer(0),
  sid,
  sequence(oid('1.2.840.113549.1.1.1'), Uint8Array.of(5, 0)),
  octetString(Buffer.alloc(8)),
)

/** `depth` times, from inside. */
function nested(depth: number, wrapOnce: (inner: Buffer) => Buffer, core: Buffer): Buffer {
  let bytes = core
  for (let i = 0; i < depth; i++) bytes = wrapOnce(bytes)
  return bytes
}

export const HOSTILE_MAILS: readonly HostileMail[] = [
  {
    what: 'ten thousand parts and more',
    make: (size, to) =>
      Buffer.concat([
        latin1(`${headerTo(to)}Content-Type: multipart/mixed; boundary=b\r\n\r\n`),
        repeat('--b\r\n\r\nx\r\n', size),
        latin1('--b--\r\n'),
      ]),
  },
  {
    what: 'lines that are nearly boundaries, under a signature',
    make: (size, to) =>
      Buffer.concat([
        latin1(
          `${headerTo(to)}Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\r\n\r\n`,
        ),
        repeat('--bx\r\n', size),
      ]),
  },
  {
    what: 'multiparts in multiparts',
    make(size, to) {
      const depth = Math.min(20_000, Math.floor(size / 60))
      const open = Array.from(
        { length: depth },
        (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`,
      )
      return latin1(`${headerTo(to)}${open.join('')}\r\nx\r\n`)
    },
  },
  {
    what: 'messages in messages',
    make: (size, to) => Buffer.concat([latin1(headerTo(to)), repeat('Content-Type: message/rfc822\r\n\r\n', size)]),
  },
  {
    what: 'messages in messages, each with a boundary that occurs everywhere below',
    make: (size, to) =>
      Buffer.concat([latin1(headerTo(to)), repeat('Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n', size)]),
  },
  {
    what: 'ASN.1: sequences in sequences',
    make: (size, to) => cmsMail(to, 'signed-data', signedData(nestedSequences(size))),
  },
  {
    what: 'ASN.1: indefinite lengths in indefinite lengths',
    make: (size, to) =>
      cmsMail(
        to,
        'signed-data',
        Buffer.concat([latin1('\x30\x80'), SIGNED_DATA, Buffer.alloc(size & ~1, Uint8Array.of(0x30, 0x80))]),
      ),
  },
  {
    what: 'ASN.1: octet strings in pieces of one byte',
    make(size, to) {
      const pieces = Buffer.alloc(size - (size % 3), Uint8Array.of(4, 1, 0x41))
      const content = Buffer.concat([Uint8Array.of(0x24, 0x80), pieces, Uint8Array.of(0, 0)])
      const encap = sequence(DATA, contextTagged(0, content))
      return cmsMail(
        to,
        'signed-data',
        sequence(SIGNED_DATA, contextTagged(0, sequence(integer(1), setOf([SHA256]), encap, der(TAG.SET)))),
      )
    },
  },
  {
    what: 'ASN.1: a length of four gigabytes',
    make: (_size, to) =>
      cmsMail(to, 'signed-data', Buffer.concat([Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff), SIGNED_DATA])),
  },
  {
    what: 'ASN.1: a number of many bytes',
    make: (size, to) =>
      cmsMail(
        to,
        'signed-data',
        sequence(SIGNED_DATA, contextTagged(0, sequence(der(TAG.INTEGER, Buffer.alloc(size, 0x7f))))),
      ),
  },
  {
    what: 'ASN.1: an object identifier of many bytes',
    make: (size, to) =>
      cmsMail(
        to,
        'enveloped-data',
        sequence(
          ENVELOPED_DATA,
          contextTagged(0, sequence(integer(0), setOf([]), sequence(der(TAG.OID, Buffer.alloc(size, 0x81))))),
        ),
      ),
  },
  {
    what: 'certificates without number',
    make(size, to) {
      const { encoded } = alice.certificate
      const info = signerInfo(der(0xa0), Buffer.alloc(64))
      return cmsMail(to, 'signed-data', signedData(der(0xa0, repeat(encoded, size)), der(TAG.SET, info)))
    },
  },
  {
    what: 'certificates without number, each another',
    make(size, to) {
      const count = Math.min(3000, Math.floor(size / alice.certificate.encoded.length))
      const each = Array.from({ length: count }, (_, i) => {
        const copy = Buffer.from(alice.certificate.encoded)
        copy.writeUInt32BE(i, copy.length - 8)
        return copy
      })
      return cmsMail(
        to,
        'signed-data',
        signedData(der(0xa0, ...each), der(TAG.SET, signerInfo(der(0xa0), Buffer.alloc(64)))),
      )
    },
  },
  {
    what: 'revocation lists without number',
    make: (size, to) =>
      cmsMail(
        to,
        'signed-data',
        signedData(
          der(0xa1, Buffer.alloc(size - (size % 4), Uint8Array.of(0x30, 2, 5, 0))),
          der(TAG.SET, signerInfo(der(0xa0), Buffer.alloc(64))),
        ),
      ),
  },
  {
    what: 'signers without number',
    make: (size, to) =>
      cmsMail(to, 'signed-data', signedData(der(TAG.SET, repeat(signerInfo(der(0xa0), Buffer.alloc(64)), size)))),
  },
  {
    what: 'signed attributes without number',
    make(size, to) {
      const attribute = sequence(oid('1.2.3.4'), setOf([integer(1)]))
      return cmsMail(
        to,
        'signed-data',
        signedData(der(TAG.SET, signerInfo(der(0xa0, repeat(attribute, Math.min(size, 400_000))), Buffer.alloc(64)))),
      )
    },
  },
  {
    what: 'recipients without number',
    make: (size, to) =>
      cmsMail(to, 'enveloped-data', enveloped(der(TAG.SET, repeat(recipientInfo, size)), Buffer.alloc(32))),
  },
  {
    what: 'ciphertext of much, for nobody',
    make: (size, to) => cmsMail(to, 'enveloped-data', enveloped(der(TAG.SET, recipientInfo), Buffer.alloc(size & ~15))),
  },
  {
    what: 'signed mails in signed mails',
    make(size, to) {
      const depth = Math.min(30, Math.max(1, Math.floor(Math.log(size / 1000) / Math.log(1.37))))
      const entity = nested(
        depth,
        (inner) =>
          Buffer.concat([
            latin1(
              'Content-Type: application/pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: base64\r\n\r\n',
            ),
            encodeBase64Lines(
              sequence(
                SIGNED_DATA,
                contextTagged(
                  0,
                  sequence(
                    integer(1),
                    setOf([SHA256]),
                    sequence(DATA, contextTagged(0, octetString(inner))),
                    der(0xa0, alice.certificate.encoded),
                    der(TAG.SET, signerInfo(der(0xa0), Buffer.alloc(64))),
                  ),
                ),
              ),
            ),
          ]),
        latin1('\r\nx'),
      )
      return Buffer.concat([latin1(headerTo(to)), entity])
    },
  },
  {
    what: 'rightly signed mails in rightly signed mails',
    make(size, to) {
      let body = 'x\r\n'
      let type = 'text/plain'
      for (let i = 0; i < 12 && body.length < size; i++) {
        const mail = protectedMail({
          layering: 'sign',
          signer: alice,
          header: `${headerTo(to)}Content-Type: ${type}\r\n`,
          body,
          headerProtection: false,
        }).toString('latin1')
        const at = mail.indexOf('Content-Type:')
        const end = mail.indexOf('\r\n\r\n', at)
        type = mail.slice(at + 14, end)
        body = mail.slice(end + 4)
      }
      return latin1(`${headerTo(to)}Content-Type: ${type}\r\n\r\n${body}`)
    },
  },
  {
    what: 'authorities that all certify each other, and none is trusted',
    make(_size, to) {
      const subject = writeName([[COMMON_NAME, 'Authority']])
      const first = makeAuthority({ name: 'first', subject })
      const key = keyNamed('first')
      const chain = Array.from({ length: 30 }, (_, i) => makeAuthority({ name: 'first', subject, key, serial: i + 2 }))
      const address = subjectAltName([mailboxName(ALICE)], false)
      const leaf = makeCertificate({ name: 'leaf', issuer: first, extensions: [address] })
      const signer = { ...leaf, chain: chain.map(({ certificate }) => certificate) }
      return protectedMail({
        layering: 'sign',
        signer,
        header: `${headerTo(to)}Content-Type: text/plain\r\n`,
        body: 'x\r\n',
      })
    },
  },
  {
    what: 'parameters without number',
    make: (size, to) =>
      latin1(
        `${headerTo(to)}Content-Type: multipart/signed${'; a*1=b'.repeat(Math.min(40_000, size / 8))}\r\n\r\nx\r\n`,
      ),
  },
  {
    what: 'comments in comments in the author',
    make: (size, to) => latin1(`From: ${'('.repeat(Math.min(400_000, size))} ${ALICE}\r\nTo: ${to}\r\n\r\nx\r\n`),
  },
  {
    what: 'authors without number',
    make: (size, to) =>
      latin1(`From: ${`${ALICE}, `.repeat(Math.min(15_000, size / 20))}${ALICE}\r\nTo: ${to}\r\n\r\nx\r\n`),
  },
  {
    what: 'encoded words without number',
    make: (size, to) =>
      latin1(`From: ${'=?utf-8?q?a?= '.repeat(Math.min(30_000, size / 14))}<${ALICE}>\r\nTo: ${to}\r\n\r\nx\r\n`),
  },
  {
    what: 'base64 with blanks between all characters',
    make: (size, to) =>
      Buffer.concat([
        latin1(
          `${headerTo(to)}Content-Type: application/pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: base64\r\n\r\n`,
        ),
        repeat('M \tI\r\n', size),
      ]),
  },
  {
    what: 'quoted-printable of nothing but soft line ends',
    make: (size, to) =>
      Buffer.concat([
        latin1(
          `${headerTo(to)}Content-Type: application/pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n`,
        ),
        repeat('=\r\n', size),
      ]),
  },
]

function nestedSequences(sizeBytes: number): Uint8Array {
  // from inside; each level costs its tag and length only
  const headers: Uint8Array[] = []
  let length = 0
  while (length < Math.min(sizeBytes, 1_000_000)) {
    const header =
      length < 128
        ? [0x30, length]
        : length < 256
          ? [0x30, 0x81, length]
          : length < 65_536
            ? [0x30, 0x82, length >> 8, length & 255]
            : [0x30, 0x83, length >> 16, (length >> 8) & 255, length & 255]
    headers.push(Uint8Array.from(header))
    length += header.length
  }
  return Buffer.concat(headers.toReversed())
}
