/** Cuts protected mails open and sews them together otherwise, as somebody on the wire could. */
import assert from 'node:assert/strict'
import { childrenOf } from '../../src/message/mime-tree.ts'
import { parsePart } from '../../src/message/parse.ts'
import { parseBer } from '../../src/protection/smime/asn1/ber-reader.ts'
import { der, sequence } from '../../src/protection/smime/asn1/der-writer.ts'
import { signedDataSink } from '../../src/protection/smime/cms/sign.ts'
import { SIGNED_AT_MS, cmsOf, withByte, withCms } from './protected-mail.ts'
import { push } from './push.ts'
import type { SmimeIdentity } from './smime-identity.ts'

export const SIGNATURE = 'application/pkcs7-signature'
export const ENVELOPE = 'application/pkcs7-mime'

/** Throws when there is nothing to replace. */
export const replace = (mail: Buffer, from: string | RegExp, to: string): Buffer => {
  const text = mail.toString('latin1')
  const changed = text.replace(from, to)
  assert.notEqual(changed, text, `${String(from)} is not in the mail`)
  return Buffer.from(changed, 'latin1')
}

/** Changes one byte of the field at `path` of the signature's CMS: its middle, or counted from the end. */
export function bendCms(mail: Buffer, type: string, path: readonly number[], fromEnd?: number): Buffer {
  const cms = cmsOf(mail, type)
  const { start, raw } = fieldAt(cms, path)
  const at = start + (fromEnd === undefined ? raw.length >> 1 : raw.length - fromEnd)
  return withCms(
    mail,
    type,
    withByte(cms, at, (byte) => byte ^ 1),
  )
}

export function fieldAt(cms: Buffer, path: readonly number[]): { start: number; raw: Buffer } {
  const parsed = parseBer(cms)
  assert(parsed.ok)
  const node = path.reduce((at, index) => at.children[index] ?? assert.fail(path.join('.')), parsed.value)
  return { start: node.raw.byteOffset - cms.byteOffset, raw: Buffer.from(node.raw) }
}

/** Rebuilds SignedData with other fields. */
export function rebuild(mail: Buffer, change: (fields: Uint8Array[]) => Uint8Array[]): Buffer {
  const parsed = parseBer(cmsOf(mail, SIGNATURE))
  assert(parsed.ok)
  const [type, content] = parsed.value.children
  const fields = content?.children[0]?.children.map((node) => node.raw) ?? []
  assert(type !== undefined && fields.length === 5)
  return withCms(mail, SIGNATURE, sequence(type.raw, der(0xa0, sequence(...change([...fields])))))
}

const CERTIFICATES = 3
export const SIGNERS = 4
export const withCertificates = (mail: Buffer, ...certificates: Uint8Array[]): Buffer =>
  rebuild(mail, (fields) => fields.with(CERTIFICATES, der(0xa0, ...certificates)))

/** The raw parts of multipart/signed, and the boundary. */
function partsOf(mail: Buffer): { content: Buffer; signature: Buffer; boundary: string; header: string } {
  const root = parsePart(mail)
  const [content, signature] = childrenOf(root).children
  const boundary = /boundary="([^"]+)"/.exec(mail.toString('latin1'))?.[1]
  assert(content !== undefined && signature !== undefined && boundary !== undefined)
  const header = mail.toString('latin1', 0, root.bodyOffset)
  return { content: Buffer.from(content.raw), signature: Buffer.from(signature.raw), boundary, header }
}

export function rejoined(mail: Buffer, order: (content: Buffer, signature: Buffer) => readonly Buffer[]): Buffer {
  const { content, signature, boundary, header } = partsOf(mail)
  const parts = order(content, signature).flatMap((part) => [Buffer.from(`\r\n--${boundary}\r\n`), part])
  return Buffer.concat([Buffer.from(header, 'latin1'), ...parts, Buffer.from(`\r\n--${boundary}--\r\n`)])
}

/** The content as it is, under a new signature by `signer`. */
export function signedAnew(mail: Buffer, signer: SmimeIdentity | readonly SmimeIdentity[]): Buffer {
  const keys = Array.isArray(signer) ? (signer as SmimeIdentity[]) : [signer as SmimeIdentity]
  const options = { keys, detached: true, choice: {}, signingTimeMs: SIGNED_AT_MS }
  return withCms(
    mail,
    SIGNATURE,
    push(partsOf(mail).content, (out) => signedDataSink(options, out)),
  )
}

/** The entity under the outermost signature, as a mail of its own. */
export function stripped(mail: Buffer): Buffer {
  const { content, header } = partsOf(mail)
  return Buffer.concat([Buffer.from(header.replace(/Content-Type:(?:.*\r\n[ \t])*.*\r\n\r\n$/, ''), 'latin1'), content])
}
