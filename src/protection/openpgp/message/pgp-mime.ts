/** PGP/MIME as we write it (RFC 3156): the header fields of its entities, and what stands around a message in armor. */
import type { ByteSink } from '../../../base/byte-sink.ts'
import { concatBytes, fromLatin1 } from '../../../base/bytes.ts'
import { makeField, writeFields } from '../../../message/header-field.ts'
import type { HeaderField } from '../../../message/part.ts'

/** The header field of a `multipart/signed` entity (RFC 3156 §5). */
export function multipartSignedFields(micalgs: readonly string[], boundary: string): HeaderField[] {
  const words = [...new Set(micalgs)].join(',')
  const micalg = words.includes(',') ? `"${words}"` : words
  const parameters = `protocol="application/pgp-signature"; micalg=${micalg}; boundary="${boundary}"`
  return [makeField('Content-Type', `multipart/signed; ${parameters}`)]
}

/** Header fields of the signature in `multipart/signed`. */
export function signatureFields(): HeaderField[] {
  return [
    makeField('Content-Type', 'application/pgp-signature; name="signature.asc"'),
    makeField('Content-Disposition', 'attachment; filename="signature.asc"'),
  ]
}

/** The header field of a `multipart/encrypted` entity (RFC 3156 §4). */
export function multipartEncryptedFields(boundary: string): HeaderField[] {
  const parameters = `protocol="application/pgp-encrypted"; boundary="${boundary}"`
  return [makeField('Content-Type', `multipart/encrypted; ${parameters}`)]
}

/** Takes an armored message, pushes the body of `multipart/encrypted`. Nothing is written before the first octet comes. */
export function multipartEncryptedSink(boundary: string, out: ByteSink): ByteSink {
  let begun = false
  return {
    write(chunk) {
      if (!begun) out.write(beforeMessage(boundary))
      begun = true
      out.write(chunk)
    },
    end() {
      out.write(fromLatin1(`\r\n--${boundary}--\r\n`))
      out.end()
    },
  }
}

const beforeMessage = (boundary: string): Uint8Array =>
  concatBytes([
    fromLatin1(`--${boundary}\r\n`),
    writeFields([makeField('Content-Type', 'application/pgp-encrypted')]),
    fromLatin1(`\r\nVersion: 1\r\n\r\n--${boundary}\r\n`),
    writeFields([
      makeField('Content-Type', 'application/octet-stream; name="encrypted.asc"'),
      makeField('Content-Disposition', 'inline; filename="encrypted.asc"'),
    ]),
    fromLatin1('\r\n'),
  ])
