/** What has it proves or protects nothing any more, whatever it was worth when it was made: read in old mail, never trusted. */
export interface Weakness {
  /** Year. */
  readonly since: number
  /** Who says so. */
  readonly source: string
}

/**
 * Why a signature was not accepted. `wrong`: what was signed, or the signature, was changed, or contradicts itself;
 * `weak` and `unsupported`: it may be right, and still proves nothing to us.
 */
export interface SignatureProblem {
  readonly kind: 'wrong' | 'weak' | 'unsupported'
  readonly why: string
}
