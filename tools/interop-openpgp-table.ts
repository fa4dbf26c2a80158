/** Redoes the table of OpenPGP programs in docs/interop.md: runs the tests with each of them, and writes down what worked. */
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DIRECTIONS_OF_A_KEY, type Seen } from '../test/support/openpgp-seen.ts'

const ROOT = join(import.meta.dirname, '..')
const DOC = join(ROOT, 'docs/interop.md')
const BEGIN = '<!-- made by tools/interop-openpgp-table.ts: begin -->'
const END = '<!-- made by tools/interop-openpgp-table.ts: end -->'
const COLUMNS: readonly (readonly [title: string, what: Seen['what']])[] = [
  ['keys, all four ways', 'keys'],
  ['forms', 'forms'],
  ['its encryption that we open', 'we open'],
  ['its signatures that we verify', 'we verify'],
  ['our ciphers that it opens', 'it opens'],
]

const all = run()
const programs = [...new Set(all.map(({ program }) => program))].toSorted()
const head = ['program', ...COLUMNS.map(([title]) => title)]
const rows = programs.map((program) => [program, ...COLUMNS.map(([, what]) => valuesOf(program, what))])
const table = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
const text = readFileSync(DOC, 'utf8')
writeFileSync(DOC, `${text.slice(0, text.indexOf(BEGIN))}${BEGIN}\n\n${table}\n\n${text.slice(text.indexOf(END))}`)
const { status } = spawnSync('node_modules/.bin/prettier', ['--write', '--log-level', 'warn', DOC], { cwd: ROOT })
process.stdout.write(`${all.length} things seen with ${programs.length} programs\n`)
process.exitCode = status ?? 1

function valuesOf(program: string, what: Seen['what']): string {
  const values = all.filter((each) => each.program === program && each.what === what).map(({ value }) => value)
  const times = what === 'keys' ? DIRECTIONS_OF_A_KEY : 1
  const whole = [...new Set(values)].filter((value) => values.filter((each) => each === value).length >= times)
  return whole.join(', ') || '–'
}

function run(): Seen[] {
  const folder = mkdtempSync(join(tmpdir(), 'interop-'))
  try {
    const file = join(folder, 'seen')
    const files = globSync('test/interop/openpgp-*.test.ts', { cwd: ROOT }).toSorted()
    const env = { ...process.env, SEALPOST_INTEROP_CELLS: file }
    const { status: failed } = spawnSync(process.execPath, ['--test', '--test-concurrency=2', ...files], {
      cwd: ROOT,
      env,
      stdio: 'inherit',
    })
    if (failed !== 0) throw new Error('the tests fail; what they saw is not worth a table')
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    return lines.map((line) => JSON.parse(line) as Seen)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
