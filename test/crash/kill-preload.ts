/**
 * Loaded into the server before its own code (`NODE_OPTIONS=--import`): kills it, with SIGKILL and at once, at one step.
 * A step is each event, each write to database, disk, socket and worker, before and after. Nothing is watched before
 * SIGUSR2, or before the start when CRASH_NOW is set; what is then to happen stands in the file that CRASH_PLAN names.
 * Another SIGUSR2, another plan.
 */
import diagnostics from 'node:diagnostics_channel'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { Socket } from 'node:net'
import { StatementSync } from 'node:sqlite'
import { Worker, isMainThread } from 'node:worker_threads'
import { EVENT_CHANNEL } from '../../src/base/events.ts'

/**
 * What is to happen. `label` and `nth` name a step; `duringUs`: not at the step, but so much after it has begun; `signal`:
 * another one than SIGKILL.
 */
export type CrashPlan =
  | { readonly kind: 'record'; readonly file: string }
  | {
      readonly kind: 'kill'
      readonly label: string
      readonly nth: number
      readonly duringUs?: number
      readonly signal?: NodeJS.Signals
    }
  | { readonly kind: 'kill-at'; readonly count: number }
  /** Nobody is killed: the step fails, as it does on a full disk. */
  | { readonly kind: 'fail'; readonly label: string; readonly nth: number }

type Method = (this: unknown, ...args: unknown[]) => unknown

const { appendFileSync, readFileSync, writeFileSync } = fs
const counts = new Map<string, number>()
let total = 0
let plan: CrashPlan | undefined
let watching = false
let killer: { readonly wake: () => void } | undefined

if (isMainThread) {
  process.on('SIGUSR2', () => void arm()) // also when the first plan is missed, and the process lives on
  if (process.env['CRASH_NOW'] !== undefined) await arm()
}

async function arm(): Promise<void> {
  const file = process.env['CRASH_PLAN'] ?? ''
  plan = JSON.parse(readFileSync(file, 'utf8')) as CrashPlan
  counts.clear()
  total = 0
  if (!watching) await watchAll()
  if (plan.kind === 'kill' && plan.duringUs !== undefined) killer = await startKiller(plan.duringUs)
  writeFileSync(`${file}.armed`, '')
}

async function watchAll(): Promise<void> {
  watching = true
  watchDatabase()
  await watchFiles()
  watchSockets()
  watchWorkers()
  diagnostics.subscribe(EVENT_CHANNEL, (message) => step(`event ${(message as { event: string }).event}`))
}

function step(label: string): void {
  if (plan === undefined) return
  const nth = (counts.get(label) ?? 0) + 1
  counts.set(label, nth)
  total += 1
  switch (plan.kind) {
    case 'record':
      return appendFileSync(plan.file, `${label}\t${nth}\n`)
    case 'kill':
      if (plan.label !== label || plan.nth !== nth) return
      return killer === undefined ? die(plan.signal) : killer.wake()
    case 'kill-at':
      if (total === plan.count) die()
      return
    case 'fail':
      if (plan.label !== label || plan.nth !== nth) return
      writeFileSync(`${process.env['CRASH_PLAN']}.happened`, '')
      throw new Error(`no space left on device (${label})`)
  }
}

function die(signal: NodeJS.Signals = 'SIGKILL'): void {
  process.kill(process.pid, signal)
}

/** A thread that kills while this one is in the middle of a system call. */
async function startKiller(afterUs: number): Promise<{ wake: () => void }> {
  const shared = new Int32Array(new SharedArrayBuffer(4))
  const code = `
    const { workerData: { shared, afterUs } } = process.getBuiltinModule('node:worker_threads')
    Atomics.wait(shared, 0, 0)
    const end = process.hrtime.bigint() + BigInt(afterUs) * 1000n
    while (process.hrtime.bigint() < end);
    process.kill(process.pid, 'SIGKILL')`
  const thread = new Worker(code, { eval: true, workerData: { shared, afterUs }, env: {} })
  await new Promise((resolve) => thread.once('online', resolve))
  thread.unref() // not before: at the start nothing else would keep the process alive
  return {
    wake() {
      Atomics.store(shared, 0, 1)
      Atomics.notify(shared, 0)
    },
  }
}

/** Puts a step before and after each call; for one that returns a promise, after what was promised. */
function watch(owner: object, name: string, labelOf: (self: unknown, args: readonly unknown[]) => string | undefined) {
  const methods = owner as Record<string, Method>
  const original = methods[name] as Method
  methods[name] = function watched(this: unknown, ...args: unknown[]): unknown {
    const label = labelOf(this, args)
    if (label === undefined) return original.apply(this, args)
    try {
      step(`before ${label}`)
    } catch (error) {
      if (!label.startsWith('file')) throw error
      const full = (): never => {
        throw new Error(`no space left on device (${label})`, { cause: error })
      }
      // a close that fails has closed all the same
      return (label === 'file close' ? (original.apply(this, args) as Promise<void>) : Promise.resolve()).then(full)
    }
    const result = original.apply(this, args)
    if (!(result instanceof Promise)) {
      step(`after ${label}`)
      return result
    }
    return result.then((value: unknown) => {
      step(`after ${label}`)
      return value
    })
  }
}

function watchDatabase(): void {
  const labelOf = (self: unknown): string | undefined => sqlLabel((self as StatementSync).sourceSQL)
  for (const name of ['run', 'all', 'get']) watch(StatementSync.prototype, name, labelOf)
}

/** Statements that only read change nothing. */
function sqlLabel(sql: string): string | undefined {
  const words =
    /^(begin|commit|rollback|savepoint|release|(?:insert into|update|delete from|create \w+(?: \w+)*?) "\w+")/i.exec(
      sql,
    )
  return words?.[1] === undefined ? undefined : `sql ${words[1].replaceAll('"', '').toLowerCase()}`
}

async function watchFiles(): Promise<void> {
  const handle = await fs.promises.open('/dev/null') // before that is a step itself
  const prototype = Object.getPrototypeOf(handle) as object
  await handle.close()
  for (const name of ['open', 'mkdir', 'rm', 'rename', 'writeFile'])
    watch(fs.promises, name, (_self, [path]) => `file ${name} ${placeOf(String(path))}`)
  syncBuiltinESMExports()
  for (const name of ['write', 'writev', 'sync', 'datasync', 'truncate', 'close'])
    watch(prototype, name, () => `file ${name}`)
}

function placeOf(path: string): string {
  return /[/]bytes[/]/.test(path) ? 'message' : /[/]bytes$/.test(path) ? 'folder' : 'other'
}

function watchSockets(): void {
  watch(Socket.prototype, 'write', (_self, [data]) => `socket write ${wordOf(data)}`)
  watch(Socket.prototype, 'push', (_self, [data]) =>
    data === null ? 'socket read end' : `socket read ${wordOf(data)}`,
  )
  watch(Socket.prototype, 'uncork', (self) =>
    (self as Socket).writableCorked === 0 || (self as Socket).writableLength === 0 ? undefined : 'socket flush',
  )
}

function wordOf(data: unknown): string {
  const start = Buffer.isBuffer(data) ? data.toString('latin1', 0, 16) : String(data).slice(0, 16)
  const word =
    /^(?:(\d{3})[ -]|(\+OK|-ERR)\b|(EHLO|MAIL|RCPT|DATA|STARTTLS|AUTH|QUIT|RSET|RETR|DELE|UIDL|USER|PASS)\b)/.exec(
      start,
    )
  if (word !== null) return word[1] ?? word[2] ?? word[3] ?? ''
  return /^(?:\r\n)?\.\r\n/.test(start) ? 'dot' : 'bytes'
}

function watchWorkers(): void {
  watch(Worker.prototype, 'postMessage', () => 'worker asked')
  watch(Worker.prototype, 'emit', (_self, [name]) => (name === 'message' ? 'worker answered' : undefined))
}
