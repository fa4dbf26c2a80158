/** The parts of multipart/signed, which both standards write alike. */
import type { Defect } from '../message/part.ts'
import { type Result, fail, ok } from '../base/result.ts'

/** RFC 1847 §2.1: exactly two parts, the second is the signature over the first, its header fields included. */
export function signedParts<P>({
  children,
  defects,
}: {
  readonly children: readonly P[]
  readonly defects: readonly Defect[]
}): Result<{ readonly content: P; readonly signature: P }> {
  const [content, signature, ...more] = children
  if (content === undefined || signature === undefined || more.length > 0)
    return fail(`multipart/signed has ${children.length} parts where it must have two`)
  if (defects.includes('boundary-not-closed')) return fail('multipart/signed is not closed')
  return ok({ content, signature })
}
