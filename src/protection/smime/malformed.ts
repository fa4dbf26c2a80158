/** How the readers of small structures (X.509, CRL, PKCS#12) leave early: thrown inside, a Result outside. */
import { hex } from '../../base/bytes.ts'
import { type Result, fail, ok } from '../../base/result.ts'
import { type Node, parseDer, readOid } from './asn1/der-reader.ts'
import { TAG } from './asn1/tlv.ts'

const OID_MAX_BYTES = 128

/** The peer's structure is wrong. Never leaves a public function: `attempt` turns it into a Result. */
export class Malformed extends Error {}

export function attempt<T>(read: () => T): Result<T> {
  try {
    return ok(read())
  } catch (error) {
    if (error instanceof Malformed) return fail(error.message)
    throw error
  }
}

/** The value, or Malformed with `why` when it is missing. */
export function need<T>(value: T | undefined, why: string): T {
  if (value === undefined) throw new Malformed(why)
  return value
}

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
