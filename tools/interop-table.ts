/**
 * Redoes the tables of docs/interop.md: runs the tests with each correspondent's program, and writes down what they saw.
 *
 *   node_modules/.bin/node tools/interop-table.ts          # what CI runs too; of the others what was last seen
 *   node_modules/.bin/node tools/interop-table.ts --gui    # the programs with windows, and then the tables
 *
 * Those with windows are too big to install for each run:
 *   apt-get install -y --no-install-recommends thunderbird claws-mail claws-mail-smime-plugin python3-pyatspi xvfb dbus
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
/** What the programs with windows were last seen to do, one `Cell` a line. */
const GUI_SEEN = join(ROOT, 'test/gui/seen.jsonl')

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

/** The mail that `auto` makes of a stranger's RSA key, and what is changed of it. */
const PLAIN: Trial = {
  layering: 'sign-encrypt',
  form: 'detached',
  encryption: 'aes-256-cbc',
  from: 'rsa',
  to: 'rsa',
  headers: 'on',
}
const SIGNED: Trial = { ...PLAIN, layering: 'sign', encryption: '–' }
type Trial = Pick<Cell, Axis>

const TRIALS: readonly (readonly [name: string, trial: Trial])[] = [
  ['`sign-encrypt`, AES-256-CBC, RSA: the default to strangers', PLAIN],
  ['`encrypt-sign`', { ...PLAIN, layering: 'encrypt-sign' }],
  ['`triple`', { ...PLAIN, layering: 'triple' }],
  ['`sign`, detached', SIGNED],
  ['`sign`, opaque', { ...SIGNED, form: 'opaque' }],
  ['opaque, encrypted', { ...PLAIN, form: 'opaque' }],
  ['RSA-PSS', { ...SIGNED, form: 'detached + rsa-pss' }],
  ['AES-128-CBC', { ...PLAIN, encryption: 'aes-128-cbc' }],
  ['AES-256-GCM', { ...PLAIN, encryption: 'aes-256-gcm' }],
  ['RSA-OAEP', { ...PLAIN, encryption: 'aes-256-cbc + rsa-oaep' }],
  ['recipient with P-256', { ...PLAIN, to: 'p256' }],
  ['sender with P-256', { ...PLAIN, from: 'p256' }],
  ['without header protection', { ...PLAIN, headers: 'off' }],
  ['Subject inside only', { ...PLAIN, headers: 'on, Subject inside only' }],
]

if (process.argv.includes('--gui')) writeFileSync(GUI_SEEN, linesOf(cellsOfRun('test/gui/*.ts')))
const cells = [...cellsOfRun('test/interop/correspondent-*.test.ts'), ...cellsIn(GUI_SEEN)].toSorted((a, b) =>
  orderOf(a).localeCompare(orderOf(b)),
)
const rows = AXES.reduce(merge, cells.map(rowOf))
const titles = [...new Set(rows.map(({ title }) => title))].toSorted()
const tables = titles.map((title): readonly string[] => {
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
const made = [matrix(), ...tables].map((table) => table.join('\n')).join('\n\n')
writeFileSync(DOC, `${before}${BEGIN}\n\n${made}\n\n${after}`)
const { status } = spawnSync('node_modules/.bin/prettier', ['--write', '--log-level', 'warn', DOC], { cwd: ROOT })
process.stdout.write(`${cells.length} cells in ${rows.length} rows\n`)
process.exitCode = status ?? 1

/** Programs that read our mail against what may be unusual about it. */
function matrix(): readonly string[] {
  const outbound = cells.filter(({ direction }) => direction === 'Sealpost to peer')
  const peers = [...new Set(outbound.map(({ peer }) => peer))].toSorted()
  const lines = TRIALS.map(([name, trial]) => [
    name,
    ...peers.map((peer) => {
      const cell = outbound.find((each) => each.peer === peer && AXES.every((axis) => each[axis] === trial[axis]))
      return cell === undefined ? '' : wordFor(cell)
    }),
  ])
  const table = [['Sealpost →', ...peers], peers.concat('').map(() => '---'), ...lines]
  return ['### All programs', '', ...table.map((line) => `| ${line.join(' | ')} |`)]
}

function wordFor({ opens, verifies, shown }: Cell): string {
  if (opens && shown.includes('[...]')) return 'yes, shows `[...]`'
  if (opens) return verifies === false ? '**opens**' : 'yes'
  return verifies === true ? '**verifies**' : '**no**'
}

function cellsOfRun(tests: string): Cell[] {
  const folder = mkdtempSync(join(tmpdir(), 'interop-'))
  try {
    const file = join(folder, 'cells')
    const files = globSync(tests, { cwd: ROOT }).toSorted()
    const env = { ...process.env, SEALPOST_INTEROP_CELLS: file }
    const run = spawnSync(process.execPath, ['--test', '--test-concurrency=2', ...files], {
      cwd: ROOT,
      env,
      stdio: 'inherit',
    })
    if (run.status !== 0) throw new Error('the tests fail; what they saw is not worth a table')
    return cellsIn(file)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function cellsIn(file: string): Cell[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as Cell)
}

function linesOf(seen: readonly Cell[]): string {
  return seen
    .toSorted((a, b) => orderOf(a).localeCompare(orderOf(b)))
    .map((cell) => `${JSON.stringify(cell)}\n`)
    .join('')
}

/** The order in which rows stand: layerings as the manual names them, then the rest. */
function orderOf({ layering, encryption, form, from, to, headers, peer, direction }: Cell): string {
  const layerings = ['sign', 'encrypt', 'encrypt-sign', 'sign-encrypt', 'triple']
  return [layerings.indexOf(layering), encryption, form, from, to, headers, peer, direction].join(' ')
}

function rowOf({ peer, direction, layering, encryption, form, from, to, headers, ...seen }: Cell): Row {
  const [ours, theirs] = direction === 'Sealpost to peer' ? ['Sealpost', peer] : [peer, 'Sealpost']
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
