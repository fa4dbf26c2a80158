/** How the demo speaks: coloured on a terminal, plain when piped; no line is longer than `COLUMNS_MAX`. */
const COLOURED = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
const COLUMNS_MAX = 96
const BOLD = 1
const FAINT = 2
const RED = 31
const GREEN = 32
const YELLOW = 33
const CYAN = 36

const paint = (code: number, text: string): string => (COLOURED && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text)
const print = (line: string): void => void process.stdout.write(`${line}\n`)

let failed = 0
let chapter = 0

export const failures = (): number => failed

export function heading(text: string): void {
  chapter++
  print('')
  print(paint(BOLD, `━━ ${chapter}  ${text} ${'━'.repeat(Math.max(2, COLUMNS_MAX - text.length - 7))}`))
}

export function closing(text: string, holds: boolean): void {
  print('')
  print(paint(holds ? GREEN : RED, text))
}

export const note = (text: string): void => say('', FAINT, text, FAINT)
/** `mark` is a step of the patent's figures (A1 … B8) or a requirement (S1 … S16). */
export const step = (mark: string, text: string): void => say(mark, CYAN, text)

export function check(what: string, holds: boolean, mark = ''): void {
  if (!holds) failed++
  say(mark, CYAN, `${holds ? '✓' : '✗'} ${what}`, holds ? GREEN : RED)
}

/** A mail as a terminal shows it. */
export function quote(message: Buffer, linesMax = Infinity): void {
  show(linesOf(message), linesMax, '│')
}

/** The mail as it crossed: headers, and the beginning and end of what nobody can read. */
export function onTheWire(message: Buffer, linesMax: number): void {
  note(`on the wire, ${message.length.toLocaleString('en')} bytes:`)
  show(linesOf(message), linesMax, '┆', YELLOW)
}

const linesOf = (message: Buffer): string[] => message.toString().trimEnd().split('\r\n')

/** The end of a mail that is cut says where it ends. */
const LAST_LINES = 2

function show(lines: readonly string[], linesMax: number, bar: string, colour?: number): void {
  const left = lines.length - linesMax
  const shown =
    left <= 0
      ? lines
      : [...lines.slice(0, linesMax - LAST_LINES), `… ${left} more lines …`, ...lines.slice(-LAST_LINES)]
  for (const line of shown) {
    const text = line.length > COLUMNS_MAX - 6 ? `${line.slice(0, COLUMNS_MAX - 7)}…` : line
    print(`    ${paint(FAINT, bar)} ${colour === undefined ? text : paint(colour, text)}`.trimEnd())
  }
}

function say(mark: string, markColour: number, text: string, colour?: number): void {
  for (const [index, line] of folded(text, COLUMNS_MAX - 4).entries())
    print(
      `${paint(markColour, (index === 0 ? mark : '').padEnd(4))}${colour === undefined ? line : paint(colour, line)}`,
    )
}

function folded(text: string, columns: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(lines.length === 0 ? word : `  ${word}`)
  }
  return lines
}

export function mail(from: string, to: readonly string[], subject: string, lines: readonly string[]): Buffer {
  const id = `<${Date.now()}.${Math.random().toString(36).slice(2)}@${from.slice(from.indexOf('@') + 1)}>`
  const header = [`From: ${from}`, `To: ${to.join(', ')}`, `Subject: ${subject}`, `Date: ${new Date().toUTCString()}`]
  return Buffer.from([...header, `Message-ID: ${id}`, '', ...lines, ''].join('\r\n').replace('GMT', '+0000'))
}

/** One letter of the encrypted part becomes another; everything else stays. */
export function changeOneLetter(message: Buffer): { changed: Buffer; from: string; to: string } {
  const changed = Buffer.from(message)
  const middle = message.indexOf('\r\n\r\n', message.indexOf('pkcs7-mime')) + 200
  const from = String.fromCharCode(message[middle] ?? 0)
  const to = from === 'A' ? 'B' : 'A'
  changed.write(to, middle, 'latin1')
  return { changed, from, to }
}
