/** Fields of small structures in DER, taken by the tag they must have; thrown as Malformed where they do not. */
import { hex } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { type Node, parseDer, readOid } from './der-reader.ts'
import { TAG } from './tlv.ts'

const OID_MAX_BYTES = 128

/** Parses one element that fills `bytes` and has this tag. */
export function derNode(bytes: Uint8Array, tag: number, what: string): Node {
  const parsed = parseDer(bytes)
  if (!parsed.ok) throw new Malformed(`${what}: ${parsed.error}`)
  return expectTag(parsed.value, tag, what)
}

export function expectTag(node: Node | undefined, tag: number, what: string): Node {
  if (node === undefined || node.tag !== tag) throw new Malformed(`${what} is malformed`)
  return node
}

/** Dotted text; an identifier with arcs too large for that (2.25 and a UUID) as `hex:` and its content. */
export function oidOf(node: Node | undefined, what: string): string {
  const { content } = expectTag(node, TAG.OID, what)
  const dotted = readOid(content)
  if (dotted !== undefined) return dotted
  if (content.length === 0 || content.length > OID_MAX_BYTES || ((content.at(-1) ?? 0) & 0x80) !== 0)
    throw new Malformed(`${what} is malformed`)
  return `hex:${hex(content)}`
}
