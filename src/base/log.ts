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
}

/**
 * A logger that writes each line before it returns: what was logged survives the process. `stream` is for tests.
 * An Error under the key `error` is written with its stack.
 */
export function createLogger(level: LogLevel, stream?: DestinationStream): Logger {
  const options = {
    level,
    base: null, // neither process id nor host name: the supervisor that collects the log knows them
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    errorKey: 'error',
  }
  return stream === undefined ? pino(options) : pino(options, stream)
}
