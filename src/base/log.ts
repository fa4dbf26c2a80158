/**
 * The door of pino. The log is JSON, one object a line, on stdout; `event` names what happened (base/events.ts) and
 * `msg` says it in words. What is no event (start-up trouble, a bug) is logged with `error`.
 */
import { pino, stdTimeFunctions, type DestinationStream } from 'pino'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** What may stand in a line beside time, level and text. */
export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  debug(fields: LogFields, text: string): void
  info(fields: LogFields, text: string): void
  warn(fields: LogFields, text: string): void
  error(fields: LogFields, text: string): void
  isLevelEnabled(level: LogLevel): boolean
}

/**
 * A logger on standard output; `stream` is for tests. What is logged within TOGETHER_MS is written together, and before the
 * process exits. An Error under the key `error` is written with its stack.
 */
export function createLogger(level: LogLevel, stream: DestinationStream = together(pino.destination(STDOUT))): Logger {
  const options = {
    level,
    base: null, // neither process id nor host name: the supervisor that collects the log knows them
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    errorKey: 'error',
  }
  return pino(options, stream)
}

/** Few writes for many lines: each is a job of a thread beside the event loop, and wakes whoever collects the log. */
export function together(stream: DestinationStream): DestinationStream {
  let waiting = ''
  const flush = (): void => {
    if (waiting === '') return
    const lines = waiting
    waiting = ''
    stream.write(lines)
  }
  process.on('exit', flush)
  return {
    write(line) {
      if (waiting === '') setTimeout(flush, TOGETHER_MS)
      waiting += line
      if (waiting.length >= WAITING_MAX_CHARACTERS) flush()
    },
  }
}

const STDOUT = 1
/** A process that is killed loses the lines of so long. */
const TOGETHER_MS = 10
/** Less than a pipe takes at once. */
const WAITING_MAX_CHARACTERS = 2 ** 14
