/** `a=b; c=d`: the form of DKIM signatures and keys (RFC 6376 §3.2), and of the records of ARC, DMARC and TLSRPT. */

/** More than any signature or record needs. */
const TAGS_MAX = 64
const TAG_NAME = /^[A-Za-z][A-Za-z0-9_]*$/

export type TagList = ReadonlyMap<string, string>

/** Values without blanks at either end. `undefined` when it is no such list, or names a tag twice. */
export function parseTagList(text: string): TagList | undefined {
  const specs = text.split(';', TAGS_MAX + 1)
  if (specs.length > TAGS_MAX) return undefined
  const tags = new Map<string, string>()
  for (const [index, spec] of specs.entries()) {
    const trimmed = spec.trim()
    if (trimmed === '' && index === specs.length - 1 && index > 0) break // what follows the last ";"
    const equals = trimmed.indexOf('=')
    const name = trimmed.slice(0, Math.max(0, equals)).trimEnd()
    if (!TAG_NAME.test(name) || tags.has(name)) return undefined
    tags.set(name, trimmed.slice(equals + 1).trimStart())
  }
  return tags
}

/** Base64 in which blanks and line ends may stand anywhere; `undefined` when it is anything else, or nothing. */
export function base64Tag(value: string | undefined): Uint8Array | undefined {
  const packed = value?.replaceAll(/[ \t\r\n]+/g, '') ?? ''
  return packed !== '' && /^[A-Za-z0-9+/]+={0,2}$/.test(packed) ? Buffer.from(packed, 'base64') : undefined
}

/** Items between colons, blanks around them taken off. */
export const colonList = (value: string): readonly string[] => value.split(':').map((item) => item.trim())
