/** MIME around OpenPGP, for programs that know OpenPGP only (RFC 3156). */
import { partsOf } from './cms-entity.ts'
import { contentTypeOf } from './peer-tool.ts'

const BOUNDARY = 'nextPart'

/** `message` in armor. */
export function multipartEncrypted(message: Buffer): Buffer {
  const parts = [
    'Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n',
    `Content-Type: application/octet-stream; name="encrypted.asc"\r\n\r\n${crlf(message)}`,
  ]
  return multipart('multipart/encrypted; protocol="application/pgp-encrypted"', parts)
}

/** `signature` in armor; `content` as it was signed. */
export function multipartSignedPgp(content: Buffer, signature: Buffer, micalg = 'pgp-sha256'): Buffer {
  const type = `multipart/signed; protocol="application/pgp-signature"; micalg=${micalg}`
  const part = `Content-Type: application/pgp-signature; name="signature.asc"\r\n\r\n${crlf(signature)}`
  return multipart(type, [content.toString('latin1'), part])
}

function multipart(type: string, parts: readonly string[]): Buffer {
  const body = parts.map((part) => `--${BOUNDARY}\r\n${part}\r\n`).join('')
  return Buffer.from(`Content-Type: ${type}; boundary="${BOUNDARY}"\r\n\r\n${body}--${BOUNDARY}--\r\n`, 'latin1')
}

const crlf = (text: Buffer): string => text.toString('latin1').replaceAll(/\r?\n/g, '\r\n')

/** The armored message of a multipart/encrypted entity. */
export function messageOf(entity: Buffer): Buffer {
  if (!contentTypeOf(entity).startsWith('multipart/encrypted')) throw new Error(`not encrypted: ${entity.toString()}`)
  return bodyOf(partsOf(entity)[1])
}

/** What was signed, and the armored signature, of a multipart/signed entity. */
export function signedPartsOf(entity: Buffer): { readonly content: Buffer; readonly signature: Buffer } {
  if (!contentTypeOf(entity).startsWith('multipart/signed')) throw new Error(`not signed: ${entity.toString()}`)
  const [content, signature] = partsOf(entity)
  return { content, signature: bodyOf(signature) }
}

const bodyOf = (part: Buffer): Buffer => part.subarray(part.indexOf('\r\n\r\n') + 4)
