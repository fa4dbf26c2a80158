/** CompressedData (RFC 3274) as somebody else's client makes it. */
import { deflateSync } from 'node:zlib'
import { encodeBase64Lines } from '../../src/message/encode.ts'
import { contextTagged, integer, octetString, oid, sequence } from '../../src/protection/smime/asn1/der-writer.ts'

export const ZLIB = '1.2.840.113549.1.9.16.3.8'

/** A whole ContentInfo around what has been compressed already; `octets`: the same as an OCTET STRING of another form. */
export function compressedData(
  compressed: Uint8Array,
  algorithm = ZLIB,
  octets: Uint8Array = octetString(compressed),
): Uint8Array {
  const content = sequence(oid('1.2.840.113549.1.7.1'), contextTagged(0, octets))
  const data = sequence(integer(0), sequence(oid(algorithm)), content)
  return sequence(oid('1.2.840.113549.1.9.16.1.9'), contextTagged(0, data))
}

/** The MIME entity around `content`, an entity itself. */
export function compressedEntity(content: Uint8Array): Buffer {
  const fields =
    'Content-Type: application/pkcs7-mime; smime-type=compressed-data; name=smime.p7z\r\n' +
    'Content-Transfer-Encoding: base64\r\n\r\n'
  return Buffer.concat([Buffer.from(fields), encodeBase64Lines(compressedData(deflateSync(content))), CRLF])
}

const CRLF = Buffer.from('\r\n')
