/** The configuration in force: what may change while the server runs is asked anew each time it is needed. */
import type { Config } from './load.ts'

/** Settings that a reload (SIGHUP) takes over; all others count from the next start. */
export const RELOADED = [
  'policy',
  'peers',
  'relay',
  'tls',
  'queue',
  'limits',
  'evidence',
  'trace',
  'log',
] as const satisfies readonly (keyof Config)[]

export interface Replaced {
  /** Settings that are different from now on. */
  readonly changed: readonly string[]
  /** Settings that are different in the file, but count from the next start only. */
  readonly afterRestart: readonly string[]
}

export class LiveConfig {
  #current: Config

  constructor(config: Config) {
    this.#current = config
  }

  get current(): Config {
    return this.#current
  }

  replace(next: Config): Replaced {
    const before: Readonly<Record<string, unknown>> = { ...this.#current }
    const different = Object.entries(next).flatMap(([name, value]) =>
      JSON.stringify(value) === JSON.stringify(before[name]) ? [] : [name],
    )
    const taken = Object.fromEntries(RELOADED.map((name) => [name, next[name]]))
    this.#current = { ...this.#current, ...taken }
    const reloaded: readonly string[] = RELOADED
    return {
      changed: different.filter((name) => reloaded.includes(name)),
      afterRestart: different.filter((name) => !reloaded.includes(name)),
    }
  }
}
