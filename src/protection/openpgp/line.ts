const BLANKS = ' \t\r\n'

/** A line without its end and the blanks before it. Not by a pattern, which takes quadratic time on blanks inside. */
export function trimmedEnd(line: string): string {
  let end = line.length
  while (end > 0 && BLANKS.includes(line.charAt(end - 1))) end--
  return line.slice(0, end)
}
