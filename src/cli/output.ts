/** How commands speak: one JSON object per line for machines, tables and sentences for people, problems to stderr. */
import { Command } from 'commander'
import { ConfigRefused } from './desk-of.ts'
import { OperationRefused } from '../admin/desk.ts'

/** Between two lines about how far it is. */
const TELL_EVERY_MS = 2_000

export interface CommonOptions {
  readonly config: string
  readonly json?: boolean
}

/** A command with the options that every command takes. `examples` are whole command lines. */
export function command(signature: string, description: string, examples: readonly string[]): Command {
  const [name = '', ...args] = signature.split(' ')
  const made = new Command(name).description(description)
  for (const argument of args) made.argument(argument)
  return made
    .option('--config <file>', 'configuration file', './sealpost.yaml')
    .option('--json', 'one JSON object per line on standard output')
    .addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`)
}

/** One result: as JSON, or as sentences for a person. */
export function say(options: CommonOptions, result: object, sentence: string): void {
  print(options.json === true ? JSON.stringify(result) : sentence)
}

/** Rows: a JSON object each, or a table whose columns are the row's own properties. */
export function sayRows(
  options: CommonOptions,
  rows: readonly Readonly<Record<string, unknown>>[],
  none: string,
): void {
  if (options.json === true) for (const row of rows) print(JSON.stringify(row))
  else if (rows.length === 0) note(none)
  else for (const line of table(rows)) print(line)
}

/** For people only: goes to stderr, so that scripts do not read it. */
export function note(text: string): void {
  process.stderr.write(`${harmless(text)}\n`)
}

/** What a terminal obeys (ECMA-48), and what turns a line of text round. */
const OBEYED = /(?!\r\n|[\n\t])[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * A mail's own words may be written for the terminal of whoever looks at it: a title, a hidden line, a table row that is none.
 * Such characters are shown as JSON writes them, so that nothing of what machines read is lost.
 */
export const harmless = (text: string): string => text.replace(OBEYED, escaped)

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Says what went wrong; returns the exit status. A bug shows where it happened. */
export function fail(error: unknown): number {
  note(`sealpost: ${explainError(error)}`)
  return 1
}

export function explainError(error: unknown): string {
  if (error instanceof OperationRefused || error instanceof ConfigRefused) return error.message
  if (isSystemError(error)) return error.syscall === 'listen' ? explainListen(error) : error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

type SystemError = NodeJS.ErrnoException & { readonly port?: number }

const isSystemError = (error: unknown): error is SystemError =>
  error instanceof Error && 'code' in error && 'syscall' in error

/** The two mistakes of every first start. */
function explainListen({ code, port, message }: SystemError): string {
  const other = 'or choose another under "listeners" in the configuration'
  if (code === 'EADDRINUSE') return `Port ${port} is taken by another program: stop that one, ${other}`
  if (code === 'EACCES') return `Port ${port} needs root or CAP_NET_BIND_SERVICE: start it so, ${other}`
  return message
}

function print(line: string): void {
  process.stdout.write(`${harmless(line)}\n`)
}

function table(rows: readonly Readonly<Record<string, unknown>>[]): string[] {
  const columns = Object.keys(rows[0] ?? {})
  const cells = [
    columns.map((column) => column.toUpperCase()),
    ...rows.map((row) => columns.map((column) => cell(row[column]))),
  ]
  const widths = columns.map((_column, index) => Math.max(...cells.map((row) => (row[index] ?? '').length)))
  return cells.map((row) =>
    row
      .map((text, index) => text.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return '-'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return harmless(typeof value === 'string' ? value : JSON.stringify(value)).replaceAll(/[\n\r\t]/g, escaped)
}

export const isoTime = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')

const SPANS: readonly [unit: string, ms: number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
]

/** How long, as people say it: the largest unit of which there are two at least. */
export function spanOf(ms: number): string {
  const [unit, unitMs] = SPANS.find(([, each]) => ms >= 2 * each) ?? ['s', 1_000]
  return `${Math.max(0, Math.floor(ms / unitMs))} ${unit}`
}

/** `3 accounts, 12 private keys` */
export const tellRows = (rows: Readonly<Record<string, number>>): string =>
  Object.entries(rows)
    .map(([name, count]) => `${count} ${name.replaceAll('_', ' ')}`)
    .join(', ')

/** Says now and then how far it is: for people, who wait. */
export function progressTeller(): (what: string, share: number) => void {
  let saidMs = performance.now()
  return (what, share) => {
    if (performance.now() - saidMs < TELL_EVERY_MS) return
    saidMs = performance.now()
    note(`${what}: ${Math.floor(share * 100)} %`)
  }
}
