/** Charset names of MIME (RFC 2046 §4.1.2) → text, with what the runtime's TextDecoder knows. */

/** Malformed sequences become U+FFFD. `undefined` for a charset that is not known. */
export function decodeCharset(bytes: Uint8Array, charset: string): string | undefined {
  const decoder = decoderFor(charset)
  return decoder?.decode(bytes)
}

const LABEL_CHARS_MAX = 40

function decoderFor(charset: string): TextDecoder | undefined {
  if (charset.length > LABEL_CHARS_MAX) return undefined
  try {
    return new TextDecoder(charset, { ignoreBOM: true })
  } catch {
    return undefined // RangeError: unknown label
  }
}
