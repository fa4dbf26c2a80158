/** The configuration in force: what may change while the server runs is asked anew each time it is needed. */
import type { Config } from './load.ts'

/** Settings that a reload (SIGHUP) takes over whole. Of others it takes whose word counts (`withTrustOf`), no more. */
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
    const before = this.#current
    const taken = Object.fromEntries(RELOADED.map((name) => [name, next[name]]))
    this.#current = { ...withTrustOf(before, next), ...taken }
    return { changed: differing(before, this.#current), afterRestart: differing(this.#current, next) }
  }
}

/** `before`, with the networks of `next` whose word counts. A listener that is turned on or off waits for a restart. */
function withTrustOf(before: Config, next: Config): Config {
  const { mx, submission, submissions, pop3, pop3s } = before.listeners
  const listeners = {
    ...before.listeners,
    mx: withProxiesOf(mx, next.listeners.mx),
    submission: withProxiesOf(submission, next.listeners.submission),
    submissions: withProxiesOf(submissions, next.listeners.submissions),
    pop3: withBalancersOf(pop3, next.listeners.pop3),
    pop3s: withBalancersOf(pop3s, next.listeners.pop3s),
  }
  const { trustedNetworks } = next.submission
  return { ...before, listeners, submission: { ...before.submission, trustedNetworks } }
}

type SmtpListener = Config['listeners']['mx']
type Pop3Listener = Config['listeners']['pop3']

function withProxiesOf(before: SmtpListener, next: SmtpListener): SmtpListener {
  if (before === null || next === null) return before
  const { proxyProtocol, trustedProxies } = next
  return { ...before, proxyProtocol, trustedProxies }
}

function withBalancersOf(before: Pop3Listener, next: Pop3Listener): Pop3Listener {
  return before === null || next === null ? before : { ...before, proxyProtocol: next.proxyProtocol }
}

/** Names of the settings of `to` that `from` has otherwise. */
function differing(from: Config, to: Config): string[] {
  const old: Readonly<Record<string, unknown>> = { ...from }
  return Object.entries(to).flatMap(([name, value]) =>
    JSON.stringify(value) === JSON.stringify(old[name]) ? [] : [name],
  )
}
