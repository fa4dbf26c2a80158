/** Tables of the generated documents on algorithms. */
import type { Weakness } from './weakness.ts'

export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, at) => Math.max(heading.length, ...rows.map((row) => (row[at] ?? '').length)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  return [line(headings), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

export const since = (weak: Weakness | undefined): string =>
  weak === undefined ? '–' : `${weak.since}: ${weak.source}`

export const GENERATED_NOTE = `Made from the code by \`node tools/tidy.ts --write\`; not to be edited. What is read only is for old mail, or for what others write.
What is weak is read and reported as weak, never written, and never trusted.`
