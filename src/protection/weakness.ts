/** What has it proves or protects nothing any more, whatever it was worth when it was made: read in old mail, never trusted. */
export interface Weakness {
  /** Year. */
  readonly since: number
  /** Who says so. */
  readonly source: string
}
