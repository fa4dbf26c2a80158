/**
 * Redoes the tables of docs/interop.md: runs the tests with each correspondent's program, and writes down what they saw.
 *
 *   node_modules/.bin/node tools/interop-table.ts
 */
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cell } from '../test/support/peer-tool.ts'

const ROOT = join(import.meta.dirname, '..')
const DOC = join(ROOT, 'docs/interop.md')
const BEGIN = '<!-- made by tools/interop-table.ts: begin -->'
const END = '<!-- made by tools/interop-table.ts: end -->'

const AXES = ['form', 'from', 'to', 'encryption', 'headers', 'layering'] as const
type Axis = (typeof AXES)[number]

/** Cells that differ in one axis only are one row, which has all of their values. */
interface Row extends Readonly<Record<Axis, readonly string[]>> {
  readonly title: string
  readonly seen: string
}

const COLUMNS: readonly (readonly [title: string, axis: Axis])[] = [
  ['layering', 'layering'],
  ['signature', 'form'],
  ['encryption', 'encryption'],
  ["sender's key", 'from'],
  ["recipient's key", 'to'],
  ['header protection', 'headers'],
]

const cells = cellsOfRun()
const rows = AXES.reduce(merge, cells.map(rowOf))
const titles = [...new Set(rows.map(({ title }) => title))].toSorted()
const tables = titles.map((title) => {
  const head = [...COLUMNS.map(([name]) => name), 'opens', 'verifies', 'what is shown']
  const lines = rows
    .filter((row) => row.title === title)
    .map((row) => [...COLUMNS.map(([, axis]) => row[axis].join(', ')), row.seen].join(' | '))
  return [
    `### ${title}`,
    '',
    ...[head.join(' | '), head.map(() => '---').join(' | '), ...lines].map((line) => `| ${line} |`),
  ]
})
const text = readFileSync(DOC, 'utf8')
const [before, after] = [text.slice(0, text.indexOf(BEGIN)), text.slice(text.indexOf(END))]
const made = tables.map((table) => table.join('\n')).join('\n\n')
writeFileSync(DOC, `${before}${BEGIN}\n\n${made}\n\n${after}`)
const { status } = spawnSync('node_modules/.bin/prettier', ['--write', '--log-level', 'warn', DOC], { cwd: ROOT })
process.stdout.write(`${cells.length} cells in ${rows.length} rows\n`)
process.exitCode = status ?? 1

function cellsOfRun(): Cell[] {
  const folder = mkdtempSync(join(tmpdir(), 'interop-'))
  try {
    const file = join(folder, 'cells')
    const files = globSync('test/interop/correspondent-*.test.ts', { cwd: ROOT }).toSorted()
    const env = { ...process.env, SEALPOST_INTEROP_CELLS: file }
    const run = spawnSync(process.execPath, ['--test', '--test-concurrency=2', ...files], {
      cwd: ROOT,
      env,
      stdio: 'inherit',
    })
    if (run.status !== 0) throw new Error('the tests fail; what they saw is not worth a table')
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    return lines.map((line) => JSON.parse(line) as Cell).toSorted((a, b) => orderOf(a).localeCompare(orderOf(b)))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The order in which rows stand: layerings as the manual names them, then the rest. */
function orderOf({ layering, encryption, form, from, to, headerProtection }: Cell): string {
  const layerings = ['sign', 'encrypt', 'encrypt-sign', 'sign-encrypt', 'triple']
  return [layerings.indexOf(layering), encryption, form, from, to, headerProtection ? 0 : 1].join(' ')
}

function rowOf({ peer, direction, layering, encryption, form, from, to, headerProtection, ...seen }: Cell): Row {
  const [ours, theirs] = direction === 'Sealpost to peer' ? ['Sealpost', peer] : [peer, 'Sealpost']
  const headers = direction === 'Sealpost to peer' ? (headerProtection ? 'on' : 'off') : '–'
  return {
    title: `${ours} → ${theirs}`,
    seen: [yesNo(seen.opens), seen.verifies === undefined ? '–' : yesNo(seen.verifies), seen.shown].join(' | '),
    layering: [layering],
    encryption: [encryption],
    form: [form],
    from: [from],
    to: [to],
    headers: [headers],
  }
}

function yesNo(value: boolean): string {
  return value ? 'yes' : '**no**'
}

function merge(all: readonly Row[], axis: Axis): Row[] {
  const merged = new Map<string, Row>()
  for (const row of all) {
    const others = AXES.filter((each) => each !== axis).map((each) => row[each])
    const key = JSON.stringify([row.title, row.seen, others])
    const known = merged.get(key)
    merged.set(key, known === undefined ? row : { ...known, [axis]: [...known[axis], ...row[axis]] })
  }
  return [...merged.values()]
}
