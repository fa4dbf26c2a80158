/** Can mail be taken? Checks that are bounded in time, asked now and then, and said in the log when they change. */
import { setTimeout as sleep } from 'node:timers/promises'

/** One thing that must work. Resolves with why it does not; a rejection says why too. */
export interface Check {
  readonly name: string
  /** The log has a line of its own for it. */
  readonly saidElsewhere?: boolean
  run(): Promise<string | undefined>
}

export interface Finding {
  readonly check: string
  readonly ok: boolean
  readonly why?: string
  readonly tookMs: number
}

export interface ReadinessDeps {
  readonly checks: readonly Check[]
  /** Began to fail, with why; or works again. */
  failed(check: string, why: string): void
  works(check: string): void
  readonly timeoutMs?: number
  readonly freshMs?: number
  readonly everyMs?: number
}

/** What one check may take; who is slower than this takes no mail in time either. */
const TIMEOUT_MS = 5_000
/** How long an answer is given again without looking. */
const FRESH_MS = 1_000
/** Looked at without being asked, so that the log says it where nobody asks. */
const EVERY_MS = 15_000

export class Readiness {
  readonly #deps: ReadinessDeps
  readonly #failing = new Set<string>()
  /** Checks that have not come back: they are not begun a second time. */
  readonly #running = new Map<string, Promise<string | undefined>>()
  readonly #timer: NodeJS.Timeout
  #last: { readonly atMs: number; readonly findings: readonly Finding[] } | undefined
  #looking: Promise<readonly Finding[]> | undefined

  constructor(deps: ReadinessDeps) {
    this.#deps = deps
    this.#timer = setInterval(() => void this.look(), deps.everyMs ?? EVERY_MS)
    this.#timer.unref()
  }

  /** Never rejects. */
  async look(): Promise<readonly Finding[]> {
    const last = this.#last
    if (last !== undefined && performance.now() - last.atMs < (this.#deps.freshMs ?? FRESH_MS)) return last.findings
    this.#looking ??= this.#lookNow().finally(() => (this.#looking = undefined))
    return await this.#looking
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #lookNow(): Promise<readonly Finding[]> {
    const findings = await Promise.all(this.#deps.checks.map((check) => this.#one(check)))
    this.#last = { atMs: performance.now(), findings }
    return findings
  }

  async #one(check: Check): Promise<Finding> {
    const beganMs = performance.now()
    const why = await this.#bounded(check)
    const tookMs = Math.round(performance.now() - beganMs)
    const { name, saidElsewhere = false } = check
    if (why === undefined) {
      if (this.#failing.delete(name)) this.#deps.works(name)
      return { check: name, ok: true, tookMs }
    }
    if (!saidElsewhere && !this.#failing.has(name)) {
      this.#failing.add(name)
      this.#deps.failed(name, why)
    }
    return { check: name, ok: false, why, tookMs }
  }

  async #bounded(check: Check): Promise<string | undefined> {
    const timeoutMs = this.#deps.timeoutMs ?? TIMEOUT_MS
    const running = this.#running.get(check.name) ?? this.#begin(check)
    const limit = new AbortController()
    const late = sleep(timeoutMs, `no answer within ${timeoutMs / 1000} s`, { signal: limit.signal, ref: false })
    late.catch(() => undefined)
    const why = await Promise.race([running, late])
    limit.abort()
    return why
  }

  #begin(check: Check): Promise<string | undefined> {
    const running = check
      .run()
      .catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
      .finally(() => this.#running.delete(check.name))
    this.#running.set(check.name, running)
    return running
  }
}
