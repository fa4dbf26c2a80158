/** How the readers of foreign structures (X.509, CRL, PKCS#12, OpenPGP) leave early: thrown inside, a Result outside. */
import { type Result, fail, ok } from '../base/result.ts'

/** The peer's structure is wrong. Never leaves a public function: `attempt` turns it into a Result. */
export class Malformed extends Error {}

export function attempt<T>(read: () => T): Result<T> {
  try {
    return ok(read())
  } catch (error) {
    if (error instanceof Malformed) return fail(error.message)
    throw error
  }
}

/** The value, or Malformed with `why` when it is missing. */
export function need<T>(value: T | undefined, why: string): T {
  if (value === undefined) throw new Malformed(why)
  return value
}
