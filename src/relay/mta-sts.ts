/** What a domain publishes about TLS with its mail hosts: MTA-STS records and policies (RFC 8461). Pure. */
import { latin1 } from '../base/bytes.ts'

export interface StsPolicy {
  readonly mode: 'enforce' | 'testing' | 'none'
  /** Host names, or `*.` and a name for the hosts one label below it; lower-case. */
  readonly mx: readonly string[]
  /** How long it may be kept. */
  readonly maxAgeMs: number
}

/** RFC 8461 §3.2. */
const MAX_AGE_SECONDS_MAX = 31_557_600
/** Lines of a policy that are read. */
const LINES_MAX = 1_000

/**
 * The id of the policy that a domain has now, from its TXT records (RFC 8461 §3.1). Not exactly one record: it has none.
 */
export function readStsRecord(records: readonly string[]): string | undefined {
  const [only, another] = records.filter((record) => /^v=STSv1[ \t]*(?:;|$)/.test(record))
  if (only === undefined || another !== undefined) return undefined
  return /;[ \t]*id=([A-Za-z0-9]{1,32})[ \t]*(?:;|$)/.exec(only)?.[1]
}

/** The first value of each key counts, but all of `mx` (RFC 8461 §3.2). `undefined`: what is written there is no policy. */
export function readStsPolicy(bytes: Uint8Array): StsPolicy | undefined {
  const values = new Map<string, string>()
  const mx: string[] = []
  for (const line of latin1(bytes).split(/\r?\n/, LINES_MAX)) {
    const [, key, value] = /^([A-Za-z0-9_.-]{1,32}):[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
    if (key === undefined || value === undefined) continue
    if (key === 'mx') mx.push(value.toLowerCase().replace(/\.$/, ''))
    else if (!values.has(key)) values.set(key, value)
  }
  const maxAge = values.get('max_age') ?? ''
  const mode = MODES.find((each) => each === values.get('mode'))
  if (values.get('version') !== 'STSv1' || mode === undefined || !/^[0-9]{1,10}$/.test(maxAge)) return undefined
  if (mode !== 'none' && mx.length === 0) return undefined
  return { mode, mx, maxAgeMs: Math.min(Number(maxAge), MAX_AGE_SECONDS_MAX) * 1000 }
}

const MODES = ['enforce', 'testing', 'none'] as const

/** Whether the policy names this mail host; a wildcard stands for one label (RFC 8461 §4.1). */
export function namesHost({ mx }: StsPolicy, host: string): boolean {
  const above = host.slice(host.indexOf('.') + 1)
  return mx.some((pattern) => pattern === host || (pattern === `*.${above}` && host.includes('.')))
}
