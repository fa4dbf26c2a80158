import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { concatBytes } from '../../src/base/bytes.ts'
import { transferEncodingOf } from '../../src/message/content-type.ts'
import { NESTING_MAX, childrenOf } from '../../src/message/mime-tree.ts'
import { type Part, bodyOf } from '../../src/message/part.ts'

/** Puts a message together again from its fields, delimiters and leaves: everything that parsing took apart. */
export function printPart(part: Part, depth = 0): Uint8Array {
  const header = concatBytes(part.fields.map((field) => field.raw))
  const emptyLine = part.raw.subarray(header.length, part.bodyOffset)
  assert.match(Buffer.from(emptyLine).toString('latin1'), /^(?:\r?\n)?$/)
  return Buffer.concat([header, emptyLine, ...printBody(part, depth)])
}

function printBody(part: Part, depth: number): readonly Uint8Array[] {
  const encoded = !['7bit', '8bit', 'binary'].includes(transferEncodingOf(part))
  const level = childrenOf(part)
  if (depth >= NESTING_MAX || level.kind === 'leaf') return [bodyOf(part)]
  const children = level.children.map((child) => printPart(child, depth + 1))
  if (level.kind === 'message') return encoded ? [bodyOf(part)] : children
  const delimited = level.delimiters.flatMap((delimiter, index) => [delimiter, children[index] ?? new Uint8Array(0)])
  return [level.preamble, ...delimited, level.epilogue]
}
