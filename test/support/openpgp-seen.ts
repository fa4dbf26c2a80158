import { appendFileSync } from 'node:fs'

/** What worked with a program. Of a kind of key there are four, which stand in the table only together. */
export interface Seen {
  readonly program: string
  readonly what: 'keys' | 'we open' | 'we verify' | 'it opens' | 'forms'
  readonly value: string
}

export const DIRECTIONS_OF_A_KEY = 4

/** Keeps what a test saw for tools/interop-openpgp-table.ts; does nothing in an ordinary run. */
export function seen(program: string, what: Seen['what'], value: string): void {
  const file = process.env['SEALPOST_INTEROP_CELLS']
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ program, what, value } satisfies Seen)}\n`)
}
