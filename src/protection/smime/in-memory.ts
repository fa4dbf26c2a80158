/** Entities of S/MIME that are in memory. */
import { fromLatin1, latin1 } from '../../base/bytes.ts'
import { ok } from '../../base/result.ts'
import { decodeBody } from '../../message/decode.ts'
import { childrenOf } from '../../message/mime-tree.ts'
import { parsePart } from '../../message/parse.ts'
import type { Part } from '../../message/part.ts'
import { readCompressedData } from './cms/compressed-data.ts'
import { openEnvelope } from './cms/open-envelope.ts'
import { readSignedData } from './cms/signed-data.ts'
import type { Holding } from './open-layer.ts'

export const BARE_LF = /(?<!\r)\n/g

export const inMemory: Holding<Part> = {
  preview: (part) => part,
  children: childrenOf,
  asContent: (part) => part.raw,
  canonical(part) {
    const canonical = latin1(part.raw).replaceAll(BARE_LF, '\r\n')
    return canonical.length === part.raw.length ? undefined : parsePart(fromLatin1(canonical))
  },
  signedData(part) {
    const signedData = readSignedData(decodeBody(part).bytes)
    if (!signedData.ok) return signedData
    const { content, ...frame } = signedData.value
    return ok({ frame, inside: content === undefined ? undefined : { content, entity: parsePart(content) } })
  },
  envelope(part, openers) {
    const opened = openEnvelope(decodeBody(part).bytes, openers)
    return opened.kind === 'decrypted' ? { ...opened, content: parsePart(opened.content) } : opened
  },
  compressedData(part) {
    const content = readCompressedData(decodeBody(part).bytes)
    return content.ok ? ok(parsePart(content.value)) : content
  },
}
