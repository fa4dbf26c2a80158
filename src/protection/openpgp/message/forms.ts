/**
 * How OpenPGP is carried in mail: PGP/MIME (RFC 3156), what relays and programs have made of it, and armored blocks in a text or
 * a file. Structure only, from the header and the first octets of the body: the answer is the same for a mail of any size.
 */
import { latin1 } from '../../../base/bytes.ts'
import { contentTypeOf, dispositionOf } from '../../../message/content-type.ts'
import { decodeBody } from '../../../message/decode.ts'
import { childrenOf } from '../../../message/mime-tree.ts'
import type { Part } from '../../../message/part.ts'
import type { LayerKind } from '../../standard.ts'

/** Of a body; all that is ever looked at here, so that a part that lies on the disk is seen as one in memory is. */
const PEEK_BYTES = 4096

/** As the reports name them. */
export type PgpForm = keyof typeof KINDS

const KINDS = {
  'pgp-mime-signed': 'signed',
  'pgp-mime-encrypted': 'encrypted',
  /** The parts of `multipart/encrypted`, in a multipart of another kind (Exchange, Proton Bridge). */
  'pgp-mime-repaired': 'encrypted',
  /** A text with a cleartext-signed block (RFC 9580 §7). */
  'inline-signed': 'signed',
  /** A text with an armored message. */
  'inline-encrypted': 'encrypted',
  /** A multipart of which every part is armored on its own. */
  'inline-parts': 'encrypted',
  /** A file that is an OpenPGP message. */
  'pgp-file': 'encrypted',
} as const satisfies Readonly<Record<string, LayerKind>>

export const kindOfForm = (form: PgpForm): LayerKind => KINDS[form]

/** Its own header says what it is (RFC 3156). */
export const isLabelled = (form: PgpForm): boolean => form === 'pgp-mime-signed' || form === 'pgp-mime-encrypted'

/** Which form of OpenPGP an entity has, or `undefined`. */
export function pgpFormOf(part: Part): PgpForm | undefined {
  const { type, parameters } = contentTypeOf(part)
  switch (type) {
    case 'multipart/signed':
      return isPgpSigned(parameters) ? 'pgp-mime-signed' : undefined
    case 'multipart/encrypted':
      return isPgpEncrypted(part, parameters) ? 'pgp-mime-encrypted' : undefined
    case 'text/plain':
    case 'application/pgp': // before PGP/MIME
      return inlineForm(part)
    case 'application/octet-stream':
    case 'application/pgp-encrypted':
      return isPgpFile(part) ? 'pgp-file' : undefined
    case 'multipart/mixed':
      return mixedForm(part)
    default:
      return undefined
  }
}

/** RFC 3156 §5; who leaves the protocol out, or has it spoiled, still names the digest. */
function isPgpSigned(parameters: ReadonlyMap<string, string>): boolean {
  const protocol = parameters.get('protocol')?.toLowerCase()
  if (protocol === 'application/pgp-signature') return true
  const isOther = protocol !== undefined && /pkcs7/.test(protocol)
  return !isOther && /^pgp-/i.test(parameters.get('micalg') ?? '')
}

/** RFC 3156 §4; where the protocol is missing, its first part says it. */
function isPgpEncrypted(part: Part, parameters: ReadonlyMap<string, string>): boolean {
  const protocol = parameters.get('protocol')?.toLowerCase()
  if (protocol !== undefined) return protocol === 'application/pgp-encrypted'
  const [first] = firstChildren(part)
  return first !== undefined && contentTypeOf(first).type === 'application/pgp-encrypted'
}

function inlineForm(part: Part): 'inline-signed' | 'inline-encrypted' | undefined {
  const [, label] = BLOCK.exec(latin1(peek(part))) ?? []
  if (label === undefined) return undefined
  return label === 'SIGNED MESSAGE' ? 'inline-signed' : 'inline-encrypted'
}

/** The line that begins a block of its own; one that is quoted, or dash-escaped, begins none. */
const BLOCK = /^-----BEGIN PGP (MESSAGE|SIGNED MESSAGE)-----[ \t]*\r?$/m
const ONLY_BLOCK = /^\s*-----BEGIN PGP MESSAGE-----[ \t]*\r?$/m
const FILE_NAME = /\.(?:asc|gpg|pgp)$/i

function isPgpFile(part: Part): boolean {
  const { filename } = dispositionOf(part)
  const { type } = contentTypeOf(part)
  return (type !== 'application/octet-stream' || FILE_NAME.test(filename ?? '')) && beginsAsMessage(part)
}

function beginsAsMessage(part: Part): boolean {
  const bytes = peek(part)
  return startsMessage(bytes) || ONLY_BLOCK.exec(latin1(bytes))?.index === 0
}

/**
 * Whether all of an entity is encrypted, as far as its beginning can show it: only of `multipart/encrypted`. A block in a text
 * may have anything behind it.
 */
export function isWhollyEncrypted(part: Part): boolean {
  if (pgpFormOf(part) !== 'pgp-mime-encrypted') return false
  const [version, message] = firstChildren(part)
  const isVersion = version !== undefined && contentTypeOf(version).type === 'application/pgp-encrypted'
  return isVersion && message !== undefined && beginsAsMessage(message)
}

/** The headers of the packets that an encrypted message begins with (RFC 9580 §4.2): PKESK, SKESK, in both formats. */
const startsMessage = ([first]: Uint8Array): boolean => MESSAGE_STARTS.has(first)
const MESSAGE_STARTS: ReadonlySet<number | undefined> = new Set([0x84, 0x85, 0x86, 0x8c, 0x8d, 0x8e, 0xc1, 0xc3])

/**
 * What is left of `multipart/encrypted` when a relay writes it anew (Exchange, Proton Bridge): its two parts behind an empty
 * text, or all of it behind one. Or else a text and its attachments, each encrypted by itself.
 */
function mixedForm(part: Part): PgpForm | undefined {
  const [first, ...others] = firstChildren(part)
  if (first === undefined) return undefined
  const types = [first, ...others].map((child) => contentTypeOf(child).type)
  if (types[0] === 'application/pgp-encrypted' || isRemains(types)) return 'pgp-mime-repaired'
  return types[0] === 'text/plain' && inlineForm(first) === 'inline-encrypted' ? 'inline-parts' : undefined
}

const isRemains = ([text, ...types]: readonly string[]): boolean =>
  text === 'text/plain' && (types[0] === 'application/pgp-encrypted' || types[0] === 'multipart/encrypted')

/** Whether a text says nothing: no more than a sign that there is none, or the separator of a signature. */
export const saysNothing = (text: Uint8Array): boolean => /^(?:\s|-- |Empty Message)*$/.test(latin1(text))

function firstChildren(part: Part): readonly Part[] {
  return childrenOf({ ...part, raw: part.raw.subarray(0, part.bodyOffset + PEEK_BYTES) }, CHILDREN_PEEKED).children
}

const CHILDREN_PEEKED = 3

const peek = (part: Part): Uint8Array =>
  decodeBody({ ...part, raw: part.raw.subarray(0, part.bodyOffset + PEEK_BYTES) }).bytes
