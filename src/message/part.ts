/**
 * A message is bytes; structure is a view on them. Nothing here is ever re-encoded, so what was signed is what we verify
 * (invariant 2, docs/architecture.md).
 */

/** One header field as it stood: folding, spelling of the name and the line end are kept. */
export interface HeaderField {
  /**
   * Field name as written, without the colon and any blank before it; compare with `isField`. Empty for a header line
   * that is no field: nothing matches it, and it still prints where it stood.
   */
  readonly name: string
  /** From the first byte of the name up to and including the line end of the last folded line. */
  readonly raw: Uint8Array
}

/** A MIME entity (RFC 2045 §2.4), or a whole message: header and body as received. */
export interface Part {
  readonly raw: Uint8Array
  /** Offset into `raw` of the first body byte (after the empty line); `raw.length` when there is no body. */
  readonly bodyOffset: number
  /** In order, duplicates kept. */
  readonly fields: readonly HeaderField[]
  /** Violations of RFC 5322 / RFC 2045 that were met and survived, for the report. */
  readonly defects: readonly Defect[]
  /** What an absent or unreadable Content-Type means here, when not text/plain (RFC 2046 §5.1.5). */
  readonly defaultType?: 'message/rfc822'
}

/** What was wrong with a message, in one of these words. Parsing never throws: it returns a value and defects. */
export type Defect =
  | 'bare-cr'
  | 'bare-lf'
  | 'nul'
  | 'header-line-malformed'
  | 'header-too-large'
  | 'header-not-ended'
  | 'line-too-long'
  | 'boundary-missing'
  | 'boundary-not-closed'
  | 'too-many-parts'
  | 'part-too-large'
  | 'nested-too-deeply'
  | 'bad-content-type'
  | 'bad-transfer-encoding'
  | 'duplicate-field'

export const bodyOf = (part: Part): Uint8Array => part.raw.subarray(part.bodyOffset)
