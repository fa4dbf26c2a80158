/** Answers of the name server, kept for a minute: many mails of one sender ask the same, and then none of it. */
import type { Clock } from './clock.ts'
import type { DnsAnswer, DnsAsk, DnsRecords } from './dns-client.ts'

const KEPT_MS = 60_000
const ENTRIES_MAX = 4_000
/** Of text in one answer; a longer one is asked for each time. */
const KEPT_MAX_CHARS = 4_096

/** As `ask`; those who ask the same at once wait for one answer. Trouble is not kept. */
export function cachedDns(ask: DnsAsk, clock: Clock): DnsAsk {
  const entries = new Map<string, { readonly answer: Promise<DnsAnswer<unknown>>; readonly untilMs: number }>()
  return <Type extends keyof DnsRecords>(name: string, type: Type) => {
    const key = `${type} ${name.toLowerCase()}`
    const kept = entries.get(key)
    if (kept !== undefined && clock.nowMs() < kept.untilMs) return kept.answer as ReturnType<typeof ask<Type>>
    const answer = ask(name, type)
    const entry = { answer, untilMs: clock.nowMs() + KEPT_MS }
    entries.delete(key) // the newest stand last
    entries.set(key, entry)
    const oldest = entries.size > ENTRIES_MAX ? entries.keys().next().value : undefined
    if (oldest !== undefined) entries.delete(oldest)
    const forget = (): void => void (entries.get(key) === entry && entries.delete(key))
    answer.then((got) => isKept(got) || forget(), forget)
    return answer
  }
}

function isKept(answer: DnsAnswer<unknown>): boolean {
  if (answer.kind !== 'records') return answer.kind !== 'trouble'
  return JSON.stringify(answer.records).length <= KEPT_MAX_CHARS
}
