/**
 * Runs the commands of `sealpost` in a thread of this process, which loads their code once: a process for each of them needs
 * half a second of a core for that, and most tests run many only to come to what they are about. That the program itself does
 * what the thread does is what test/e2e/commands.test.ts is about.
 */
import { Worker } from 'node:worker_threads'

export interface CommandLine {
  readonly args: readonly string[]
  readonly input: string
}

export interface CommandEnd {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

let thread: Worker | undefined
/** What waits for its end, in the order in which it was asked for; the thread answers in that order. */
const waiting: PromiseWithResolvers<CommandEnd>[] = []

/** Runs a command line after those that were asked for before. */
export function runInThread(args: readonly string[], input = ''): Promise<CommandEnd> {
  thread ??= startThread()
  thread.ref()
  const end = Promise.withResolvers<CommandEnd>()
  waiting.push(end)
  thread.postMessage({ args, input } satisfies CommandLine)
  return end.promise
}

function startThread(): Worker {
  const started = new Worker(new URL('command-worker.ts', import.meta.url))
  started.on('message', (end: CommandEnd) => {
    waiting.shift()?.resolve(end)
    if (waiting.length === 0) started.unref() // the process may end
  })
  started.on('error', (error) => {
    thread = undefined
    for (const { reject } of waiting.splice(0)) reject(error)
  })
  return started
}
