/** MIME around CMS, for programs that know CMS only (RFC 8551 §3.2, §3.5). */
import type { Cipher } from './correspondent-cases.ts'
import { contentTypeOf } from './peer-tool.ts'

/** What an application/pkcs7-mime or -signature entity in base64 carries. */
export function cmsOf(entity: Buffer): Buffer {
  const text = entity.toString('latin1')
  return Buffer.from(text.slice(text.search(/\r?\n\r?\n/)), 'base64')
}

/** The bytes between the delimiter lines (RFC 2046 §5.1.1): what was signed, and the signature. */
export function partsOf(entity: Buffer): [content: Buffer, signature: Buffer] {
  const boundary = /boundary="([^"]+)"/.exec(contentTypeOf(entity))?.[1] ?? ''
  const [, content = '', signature = ''] = entity.toString('latin1').split(`--${boundary}`)
  return [Buffer.from(content.slice(2, -2), 'latin1'), Buffer.from(signature.slice(2, -2), 'latin1')]
}

/** The end of each one's object identifier in DER: 2.16.840.1.101.3.4.1. */
const CIPHER_OIDS: Readonly<Record<Cipher, Buffer>> = {
  'aes-128-cbc': Buffer.of(0x65, 3, 4, 1, 2),
  'aes-256-cbc': Buffer.of(0x65, 3, 4, 1, 42),
  'aes-256-gcm': Buffer.of(0x65, 3, 4, 1, 46),
}

/** What a program encrypts with when it is told nothing, is in what it makes. */
export const namesCipher = (mail: Buffer, cipher: Cipher): boolean => cmsOf(mail).includes(CIPHER_OIDS[cipher])

export function pkcs7Mime(smimeType: string, cms: Buffer): Buffer {
  const type = `Content-Type: application/pkcs7-mime; smime-type=${smimeType}; name=smime.p7m`
  return Buffer.from(`${type}\r\nContent-Transfer-Encoding: base64\r\n\r\n${lines(cms)}\r\n`)
}

export function multipartSigned(content: Buffer, cms: Buffer): Buffer {
  const type = 'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="nextPart"'
  const signature = 'Content-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64'
  const head = `Content-Type: ${type}\r\n\r\nThis is a multi-part message in MIME format.\r\n--nextPart\r\n`
  const tail = `\r\n--nextPart\r\n${signature}\r\n\r\n${lines(cms)}\r\n--nextPart--\r\n`
  return Buffer.concat([Buffer.from(head), content, Buffer.from(tail)])
}

const lines = (cms: Buffer): string => cms.toString('base64').replaceAll(/.{76}/g, '$&\r\n').trimEnd()
