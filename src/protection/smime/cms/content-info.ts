/** ContentInfo (RFC 5652 §3): the outermost structure of every CMS message, and what its readers have in common. */
import type { Result } from '../../../base/result.ts'
import { parseBer } from '../asn1/ber-reader.ts'
import { type BerReader, type Reading, readWhole } from '../asn1/ber-stream.ts'
import { Asn1Error, type Node, readOid } from '../asn1/der-reader.ts'
import { TAG, contextConstructed } from '../asn1/tlv.ts'

export const CONTENT_TYPE = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  envelopedData: '1.2.840.113549.1.7.3',
  authEnvelopedData: '1.2.840.113549.1.9.16.1.23',
  compressedData: '1.2.840.113549.1.9.16.1.9',
} as const

/** Size of a structure that is kept in memory: a certificate, a SignerInfo, a RecipientInfo, a set of attributes. */
export const CMS_ELEMENT_MAX_BYTES = 512 * 2 ** 10

export type ContentKind = 'signed-data' | 'enveloped-data' | 'auth-enveloped-data' | 'other'

export interface ContentInfo {
  readonly contentType: ContentKind
  readonly oid: string
}

/** What kind of CMS message this is. Reads over the content; errors when its outline is broken or cut off. */
export function readContentInfo(bytes: Uint8Array): Result<ContentInfo> {
  return readWhole(bytes, function* (reader) {
    const oid = yield* enterContentInfo(reader)
    if ((yield* reader.peek()) === undefined) throw new Asn1Error('the content is missing')
    yield* reader.skip()
    yield* leaveContentInfo(reader)
    return { contentType: kindOf(oid), oid }
  })
}

function kindOf(oid: string): ContentKind {
  switch (oid) {
    case CONTENT_TYPE.signedData:
      return 'signed-data'
    case CONTENT_TYPE.envelopedData:
      return 'enveloped-data'
    case CONTENT_TYPE.authEnvelopedData:
      return 'auth-enveloped-data'
    default:
      return 'other'
  }
}

/** Goes to the content itself and returns its type. */
export function* enterContentInfo(reader: BerReader): Reading<string> {
  yield* reader.enter(TAG.SEQUENCE, 'ContentInfo')
  const oid = oidOf(yield* readElement(reader))
  yield* reader.enter(contextConstructed(0), 'the content')
  return oid
}

/** Undoes `enterContentInfo`; what follows the content is refused. */
export function* leaveContentInfo(reader: BerReader): Reading<void> {
  yield* reader.leave()
  yield* reader.leave()
}

/** The next element, parsed; thrown errors are Asn1Error. */
export function* readElement(reader: BerReader): Reading<Node> {
  return parseElement(yield* reader.element(CMS_ELEMENT_MAX_BYTES))
}

export function parseElement(bytes: Uint8Array): Node {
  const parsed = parseBer(bytes)
  if (!parsed.ok) throw new Asn1Error(parsed.error)
  return parsed.value
}

export function oidOf(node: Node | undefined): string {
  const oid = node?.tag === TAG.OID ? readOid(node.content) : undefined
  if (oid === undefined) throw new Asn1Error('an OBJECT IDENTIFIER is malformed or missing')
  return oid
}
