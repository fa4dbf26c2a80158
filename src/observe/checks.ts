/** What must work for mail to be taken. */
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DnsAsk } from '../base/dns-client.ts'
import type { Check } from './readiness.ts'

/** A step of the clock that is no drift: leases, retries and signatures go by the clock. */
const CLOCK_STEP_MS = 60_000
/** So long after a step the clock is not trusted. */
const CLOCK_SETTLES_MS = 60_000

/** `write` changes something in the database, durably. */
export const databaseCheck = (write: () => Promise<unknown>): Check => ({
  name: 'database',
  run: async () => void (await write()),
})

/** A file is written, synced and removed again. */
export const folderCheck = (folder: string): Check => ({
  name: 'bytes-folder',
  async run() {
    await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    const path = join(folder, `.ready-${process.pid}`)
    try {
      await using file = await open(path, 'w', 0o600)
      await file.write('ready')
      await file.datasync()
    } finally {
      await rm(path, { force: true })
    }
    return undefined
  },
})

/** `reach` asks the bucket of large messages for anything. */
export const bucketCheck = (reach: () => Promise<void>): Check => ({
  name: 'bucket',
  async run() {
    await reach()
    return undefined
  },
})

/** `shortage` names what there is too little of to begin with another mail; whoever found it said so in the log. */
export const roomCheck = (shortage: () => string | undefined): Check => ({
  name: 'room',
  saidElsewhere: true,
  async run() {
    const short = shortage()
    return short === undefined ? undefined : `no room for more mail: ${short}`
  },
})

/** Any answer will do, that there is no such record too. */
export const resolverCheck = (ask: DnsAsk, name: string): Check => ({
  name: 'resolver',
  async run() {
    const answer = await ask(name, 'MX')
    return answer.kind === 'trouble' ? answer.why : undefined
  },
})

/** `work` has a protection thread do nothing. */
export const threadsCheck = (work: () => Promise<string | undefined>): Check => ({
  name: 'protection-threads',
  run: work,
})

/** `stalledMs`: how long ago the queue was worked on. */
export const queueCheck = (stalledMs: () => number, maxMs: number): Check => ({
  name: 'queue-worker',
  async run() {
    const forMs = stalledMs()
    return forMs > maxMs ? `has not looked into the queue for ${Math.round(forMs / 1000)} s` : undefined
  },
})

/** The wall clock goes as fast as the machine's own counter does. */
export function clockCheck(wallMs: () => number, steadyMs: () => number): Check {
  let offsetMs = wallMs() - steadyMs()
  let step: { readonly byMs: number; readonly atMs: number } | undefined
  return {
    name: 'clock',
    async run() {
      const nowMs = steadyMs()
      const byMs = wallMs() - nowMs - offsetMs
      if (Math.abs(byMs) >= CLOCK_STEP_MS) step = { byMs, atMs: nowMs }
      offsetMs += byMs
      if (step === undefined || nowMs - step.atMs > CLOCK_SETTLES_MS) return undefined
      return `the clock was set ${step.byMs > 0 ? 'forward' : 'back'} by ${Math.round(Math.abs(step.byMs) / 1000)} s`
    },
  }
}
