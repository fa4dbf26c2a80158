/** One line of the benchmark's report, and how it is printed. */

export interface Row {
  readonly case: string
  readonly value: number
  readonly unit: '/s' | 'MB' | 'kB' | 'MB/s' | 'ms' | 'µs'
  /** Of single operations, wall clock. */
  readonly p50Ms?: number
  readonly p99Ms?: number
  /** For a value that has an aim of its own, e.g. `≤ 150 MB`. */
  readonly aim?: Aim
  /** What was measured beside it, in turns. */
  readonly against?: readonly Comparison[]
}

export interface Comparison {
  readonly reference: string
  /** Our rate as a multiple of the reference's. */
  readonly ratio: number
  readonly aim?: Aim
}

export interface Aim {
  readonly atLeast?: number
  readonly atMost?: number
}

/** How long and how much each suite measures; `smoke` only proves that everything runs. */
export interface Effort {
  readonly smoke: boolean
  /** For each operation of each case, on the CPU. */
  readonly msPerOperation: number
}

export const isMet = (value: number, aim: Aim): boolean =>
  (aim.atLeast === undefined || value >= aim.atLeast) && (aim.atMost === undefined || value <= aim.atMost)

const HEADINGS = ['case', 'value', 'p50 ms', 'p99 ms', 'against', 'ratio', 'aim', 'met']
const NUMERIC = new Set(['value', 'p50 ms', 'p99 ms', 'ratio'])

/** A line for each comparison; what is the same as in the line above stays empty. */
export function formatRows(rows: readonly Row[]): string {
  const lines = [HEADINGS, ...rows.flatMap(linesOf)]
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map((line) => `| ${line.map((cell, column) => padded(cell, column, widths[column] ?? 0)).join(' | ')} |\n`)
    .toSpliced(1, 0, `| ${HEADINGS.map((name, column) => rule(name, widths[column] ?? 0)).join(' | ')} |\n`)
    .join('')
}

function linesOf(row: Row): string[][] {
  const first = [row.case, `${digits(row.value)} ${row.unit}`, optional(row.p50Ms), optional(row.p99Ms)]
  const own = row.aim === undefined ? [] : [['', '', ...aimCells(row.value, row.aim, row.unit)]]
  const compared = (row.against ?? []).map(({ reference, ratio, aim }) => [
    reference,
    ratio.toFixed(2),
    ...aimCells(ratio, aim, ''),
  ])
  const rest = [...own, ...compared]
  if (rest.length === 0) return [[...first, '', '', '', '']]
  return rest.map((cells, index) => [...(index === 0 ? first : ['', '', '', '']), ...cells])
}

function aimCells(value: number, aim: Aim | undefined, unit: string): string[] {
  if (aim === undefined) return ['', '']
  const bound = aim.atLeast === undefined ? `≤ ${aim.atMost}` : `≥ ${aim.atLeast}`
  return [`${bound} ${unit}`.trim(), isMet(value, aim) ? 'yes' : 'NO']
}

const padded = (cell: string, column: number, width: number): string =>
  NUMERIC.has(HEADINGS[column] ?? '') ? cell.padStart(width) : cell.padEnd(width)
const rule = (name: string, width: number): string =>
  NUMERIC.has(name) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)
const digits = (value: number): string => (Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(value < 100 ? 1 : 0))
const optional = (value: number | undefined): string => (value === undefined ? '' : digits(value))
