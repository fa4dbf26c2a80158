/** EnvelopedData (RFC 5652 §6.1) and AuthEnvelopedData (RFC 5083 §2.1) as they stand; open-envelope.ts opens them. */
import { type Result, ok } from '../../../base/result.ts'
import { joinedOctets } from '../asn1/ber-reader.ts'
import { type BerReader, type OnSlice, type Reading, readWhole } from '../asn1/ber-stream.ts'
import { Asn1Error, type Node } from '../asn1/der-reader.ts'
import { TAG, context, contextConstructed } from '../asn1/tlv.ts'
import { type AlgorithmId, readAlgorithm } from '../algorithms.ts'
import { CONTENT_TYPE, enterContentInfo, leaveContentInfo, oidOf, readElement } from './content-info.ts'
import { type KemRecipient, readKemRecipient } from './kem.ts'
import { type KeyAgreement, readKeyAgreement } from './key-agreement.ts'
import { type KeyTransport, readKeyTransport } from './key-transport.ts'
import { type PasswordRecipient, readPasswordRecipient } from './password-recipient.ts'
import { type SharedKeyRecipient, readSharedKeyRecipient } from './shared-key.ts'

/** Recipients of one message that are read; a mailing list may have many, an attacker any number. */
export const RECIPIENTS_MAX = 2000

/** `other`: kinds that are not known (RFC 5652 §6.2.5). */
export type RecipientInfo =
  KeyTransport | KeyAgreement | SharedKeyRecipient | PasswordRecipient | KemRecipient | { readonly kind: 'other' }

export interface EnvelopeFrame {
  readonly kind: 'enveloped-data' | 'auth-enveloped-data'
  readonly recipientInfos: readonly RecipientInfo[]
  /** Type of what is inside: `CONTENT_TYPE.data` in mail. */
  readonly contentType: string
  readonly algorithm: AlgorithmId
  /** AuthEnvelopedData only; as `[1]`, as received. */
  readonly authenticatedAttributes?: Node
  readonly mac?: Uint8Array
}

export interface Envelope extends EnvelopeFrame {
  /** The encrypted content in the pieces it came in: views on the input. */
  readonly encryptedContent: readonly Uint8Array[]
}

/** Reads a whole EnvelopedData or AuthEnvelopedData in its ContentInfo, in BER or DER. Decrypts nothing. */
export function readEnvelope(bytes: Uint8Array): Result<Envelope> {
  const encryptedContent: Uint8Array[] = []
  const frame = readWhole(bytes, (reader) => readEnvelopeFrame(reader, (slice) => encryptedContent.push(slice)))
  return frame.ok ? ok({ ...frame.value, encryptedContent }) : frame
}

/** Reads an envelope as it comes; its encrypted content is handed on in slices, and before it what stands in front of it. */
export function* readEnvelopeFrame(
  reader: BerReader,
  onContent: OnSlice,
  onHead?: (head: EnvelopeFrame) => void,
): Reading<EnvelopeFrame> {
  const type = yield* enterContentInfo(reader)
  if (type !== CONTENT_TYPE.envelopedData && type !== CONTENT_TYPE.authEnvelopedData)
    throw new Asn1Error('not an EnvelopedData')
  const kind = type === CONTENT_TYPE.envelopedData ? 'enveloped-data' : 'auth-enveloped-data'
  yield* reader.enter(TAG.SEQUENCE, kind)
  if ((yield* readElement(reader)).tag !== TAG.INTEGER) throw new Asn1Error('version is missing')
  if ((yield* reader.peek())?.tag === contextConstructed(0)) yield* reader.skip() // originatorInfo: certificates
  const recipientInfos = yield* readRecipientInfos(reader)
  yield* reader.enter(TAG.SEQUENCE, 'encryptedContentInfo')
  const contentType = oidOf(yield* readElement(reader))
  const algorithm = readAlgorithm(yield* readElement(reader))
  if (!algorithm.ok) throw new Asn1Error(algorithm.error)
  const frame = { kind, recipientInfos, contentType, algorithm: algorithm.value } as const
  onHead?.(frame)
  if ((yield* reader.peek()) !== undefined) yield* reader.octets(onContent, 'encryptedContent', context(0))
  yield* reader.leave()
  const trailer = kind === 'auth-enveloped-data' ? yield* readAuthentication(reader) : {}
  const unprotected = contextConstructed(kind === 'auth-enveloped-data' ? 2 : 1)
  if ((yield* reader.peek())?.tag === unprotected) yield* reader.skip()
  yield* reader.leave()
  yield* leaveContentInfo(reader)
  return { ...frame, ...trailer }
}

function* readRecipientInfos(reader: BerReader): Reading<RecipientInfo[]> {
  const infos: RecipientInfo[] = []
  yield* reader.enter(TAG.SET, 'recipientInfos')
  while ((yield* reader.peek()) !== undefined) {
    if (infos.length === RECIPIENTS_MAX) throw new Asn1Error('too many recipients')
    infos.push(readRecipientInfo(yield* readElement(reader)))
  }
  yield* reader.leave()
  return infos
}

function readRecipientInfo(node: Node): RecipientInfo {
  const info = readKnownKind(node)
  if (!info.ok) throw new Asn1Error(info.error)
  return info.value ?? { kind: 'other' }
}

function readKnownKind(node: Node): Result<RecipientInfo | undefined> {
  switch (node.tag) {
    case TAG.SEQUENCE:
      return readKeyTransport(node)
    case contextConstructed(1):
      return readKeyAgreement(node)
    case contextConstructed(2):
      return readSharedKeyRecipient(node)
    case contextConstructed(3):
      return readPasswordRecipient(node)
    case contextConstructed(4):
      return readKemRecipient(node)
    default:
      return ok(undefined)
  }
}

function* readAuthentication(reader: BerReader): Reading<Pick<EnvelopeFrame, 'mac' | 'authenticatedAttributes'>> {
  const hasAttributes = (yield* reader.peek())?.tag === contextConstructed(1)
  const attributes = hasAttributes ? { authenticatedAttributes: yield* readElement(reader) } : {}
  const mac = joinedOctets(yield* readElement(reader))
  if (mac === undefined) throw new Asn1Error('mac is missing')
  return { ...attributes, mac }
}
