/** How the demo speaks: coloured on a terminal, plain when piped. */
const COLOURED = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
const paint = (code: number, text: string): string => (COLOURED ? `\x1b[${code}m${text}\x1b[0m` : text)
const print = (line: string): void => void process.stdout.write(`${line}\n`)

const LINES_SHOWN = 26
let failed = 0

export const failures = (): number => failed

export const heading = (text: string): void => print(`\n${paint(1, text)}`)
export const note = (text: string): void => print(`    ${paint(2, text)}`)
export const step = (mark: string, text: string): void => print(`${paint(36, mark.padEnd(3))} ${text}`)

export function check(what: string, holds: boolean): void {
  if (!holds) failed++
  print(`${holds ? paint(32, '✓  ') : paint(31, '✗  ')} ${what}`)
}

export function quote(message: Buffer): void {
  show(message.toString().trimEnd().split('\r\n'), '│', 0)
}

/** The mail as it crossed: headers and the beginning and end of what nobody can read. */
export function onTheWire(message: Buffer): void {
  const lines = message.toString().trimEnd().split('\r\n')
  note(`on the wire (${message.length} bytes):`)
  show(lines.length <= LINES_SHOWN ? lines : [...lines.slice(0, LINES_SHOWN - 4), '…', ...lines.slice(-3)], '┆', 33)
}

function show(lines: readonly string[], bar: string, colour: number): void {
  for (const line of lines) print(`    ${paint(2, bar)} ${colour === 0 ? line : paint(colour, line.slice(0, 100))}`)
}

export function mail(from: string, to: readonly string[], subject: string, lines: readonly string[]): Buffer {
  const id = `<${Date.now()}.${Math.random().toString(36).slice(2)}@${from.slice(from.indexOf('@') + 1)}>`
  const header = [`From: ${from}`, `To: ${to.join(', ')}`, `Subject: ${subject}`, `Date: ${new Date().toUTCString()}`]
  return Buffer.from([...header, `Message-ID: ${id}`, '', ...lines, ''].join('\r\n').replace('GMT', '+0000'))
}

/** One letter of the encrypted part becomes another; everything else stays. */
export function changeOneLetter(message: Buffer): Buffer {
  const changed = Buffer.from(message)
  const middle = message.indexOf('\r\n\r\n', message.indexOf('pkcs7-mime')) + 200
  changed[middle] = changed[middle] === 0x41 ? 0x42 : 0x41
  return changed
}
