/**
 * Reads small BER structures as other programs write them: indefinite lengths, lengths that are not minimal, strings in
 * pieces (X.690 §8). What was read can be written again as DER.
 */
import { Buffer } from 'node:buffer'
import { type Result, fail, ok } from '../../../base/result.ts'
import { Asn1Error, type Node } from './der-reader.ts'
import { der, setOf } from './der-writer.ts'
import { ASN1_DEPTH_MAX, ASN1_NODES_MAX, CONSTRUCTED, TAG } from './tlv.ts'

/** Parses exactly one element that fills `ber`. `content` of an indefinite-length node ends before its end-of-contents. */
export function parseBer(ber: Uint8Array): Result<Node> {
  try {
    const node = new TreeReader(plainView(ber)).read(0, ber.length, ASN1_DEPTH_MAX)
    return node.raw.length === ber.length ? ok(node) : fail('bytes after the end of the structure')
  } catch (error) {
    if (error instanceof Asn1Error) return fail(error.message)
    throw error
  }
}

/**
 * The octets of a string that is primitive or in pieces (X.690 §8.7.3.2), joined; `undefined` when `node` is neither.
 * `primitiveTag` is that of the outermost element, which may be implicitly tagged.
 */
export function joinedOctets(node: Node, primitiveTag: number = TAG.OCTET_STRING): Uint8Array | undefined {
  if (node.tag === primitiveTag) return node.content
  if (node.tag !== (primitiveTag | CONSTRUCTED)) return undefined
  const pieces: Uint8Array[] = []
  for (const child of node.children) {
    const piece = joinedOctets(child)
    if (piece === undefined) return undefined
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

/** Writes as DER what was read as BER: minimal definite lengths, strings in one piece, SET OF sorted. */
export function toDer(node: Node): Uint8Array {
  if (node.tag === (TAG.OCTET_STRING | CONSTRUCTED)) {
    const octets = joinedOctets(node)
    if (octets !== undefined) return der(TAG.OCTET_STRING, octets)
  }
  if ((node.tag & CONSTRUCTED) === 0) return der(node.tag, node.content)
  const children = node.children.map(toDer)
  return node.tag === TAG.SET ? setOf(children) : der(node.tag, ...children)
}

/** The same bytes, not as a Buffer: taking slices of a Buffer costs twice as much, and that is what reading BER is. */
export const plainView = (bytes: Uint8Array): Uint8Array =>
  Buffer.isBuffer(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes

export interface BerHeader {
  readonly tag: number
  /** Octets of tag and length together. */
  readonly headerBytes: number
  /** Missing for the indefinite form, which only constructed encodings may have. */
  readonly lengthBytes: number | undefined
}

/** A length above 2^48 octets cannot be meant. */
export const LENGTH_OCTETS_MAX = 6

/** Reads tag and length at `at`; `undefined` when `bytes` ends before they do. */
export function readBerHeader(bytes: Uint8Array, at: number): BerHeader | undefined {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined) return undefined
  if ((tag & 0x1f) === 0x1f) throw new Asn1Error('tag number above 30')
  if (first < 0x80) return { tag, headerBytes: 2, lengthBytes: first }
  const count = first & 0x7f
  if (count === 0) {
    if ((tag & CONSTRUCTED) === 0) throw new Asn1Error('indefinite length of a primitive encoding')
    return { tag, headerBytes: 2, lengthBytes: undefined }
  }
  if (count > LENGTH_OCTETS_MAX) throw new Asn1Error('length too large')
  if (at + 2 + count > bytes.length) return undefined
  let lengthBytes = 0
  for (let i = at + 2; i < at + 2 + count; i++) lengthBytes = lengthBytes * 256 + (bytes[i] ?? 0)
  return { tag, headerBytes: 2 + count, lengthBytes }
}

const NO_CHILDREN: readonly Node[] = []

class TreeReader {
  readonly #bytes: Uint8Array
  #nodesLeft = ASN1_NODES_MAX

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  read(start: number, end: number, depth: number): Node {
    if (depth === 0) throw new Asn1Error('nested too deeply')
    if (--this.#nodesLeft < 0) throw new Asn1Error('too many elements')
    const header = readBerHeader(this.#bytes, start)
    if (header === undefined) throw new Asn1Error('unexpected end')
    const { tag, lengthBytes } = header
    const from = start + header.headerBytes
    if (lengthBytes === undefined) return this.#readIndefinite(tag, start, from, end, depth)
    const to = from + lengthBytes
    if (to > end) throw new Asn1Error('length beyond the end')
    const raw = this.#bytes.subarray(start, to)
    const content = this.#bytes.subarray(from, to)
    if ((tag & CONSTRUCTED) === 0) return { tag, raw, content, children: NO_CHILDREN }
    const children: Node[] = []
    for (let at = from; at < to;) {
      const child = this.read(at, to, depth - 1)
      children.push(child)
      at += child.raw.length
    }
    return { tag, raw, content, children }
  }

  #readIndefinite(tag: number, start: number, from: number, end: number, depth: number): Node {
    const bytes = this.#bytes
    const children: Node[] = []
    let at = from
    while (at + 2 <= end && (bytes[at] !== 0 || bytes[at + 1] !== 0)) {
      const child = this.read(at, end, depth - 1)
      children.push(child)
      at += child.raw.length
    }
    if (at + 2 > end) throw new Asn1Error('unexpected end')
    return { tag, raw: bytes.subarray(start, at + 2), content: bytes.subarray(from, at), children }
  }
}
