/** What one attempt to reach a mail host by TLS counts as in a report (RFC 8460 §4.3). Pure. */

/** What the domain asks for with its mail. */
export interface TlsPolicyApplied {
  readonly type: 'tlsa' | 'sts' | 'no-policy-found'
  /** The TLSA records. */
  readonly strings?: readonly string[]
}

/** RFC 8460 §4.3.1, §4.3.2. */
export type TlsResult =
  | 'success'
  | 'starttls-not-supported'
  | 'certificate-host-mismatch'
  | 'certificate-expired'
  | 'certificate-not-trusted'
  | 'validation-failure'
  | 'dnssec-invalid'

export interface HopTried {
  /** Whose mail it was. */
  readonly domain: string
  readonly host: string
  /** Missing: it was not asked at all. */
  readonly address?: string
  /** Ours, from where it was asked. */
  readonly sendingAddress?: string
  readonly policy: TlsPolicyApplied
  readonly result: TlsResult
}

/** What is said of a failed handshake, in our words or OpenSSL's codes; the first that fits. */
const FAILURES: readonly (readonly [words: RegExp, result: TlsResult])[] = [
  [/STARTTLS|does not offer|not support/i, 'starttls-not-supported'],
  [/altname|does not name/i, 'certificate-host-mismatch'],
  [/expired|not yet valid/i, 'certificate-expired'],
  [/self[-_ ]signed|unable[_ ]to[_ ](?:get|verify)|issuer|unknown[_ ]ca/i, 'certificate-not-trusted'],
]

export const failureOf = (words: string): TlsResult =>
  FAILURES.find(([pattern]) => pattern.test(words))?.[1] ?? 'validation-failure'
