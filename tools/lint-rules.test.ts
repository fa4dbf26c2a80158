/** The rules of .oxlintrc.json that others rely on really fire: a rule that is misspelt, or off, would say nothing. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { ROOT } from './step.ts'

const compilerOptions = {
  strict: true,
  module: 'nodenext',
  target: 'esnext',
  allowImportingTsExtensions: true,
  noEmit: true,
}
const PRELUDE =
  'declare const later: () => Promise<number>\ndeclare const kind: "a" | "b"\nexport const used = [later, kind]\n'
const cases: readonly [name: string, code: string, rules: readonly string[]][] = [
  ['clean', 'await later()\n', []],
  ['thing', 'export interface Thing {}\n', []],
  ['floating', 'later()\n', ['typescript(no-floating-promises)']],
  ['exhaustive', 'switch (kind) {\n  case "a":\n    await later()\n}\n', ['typescript(switch-exhaustiveness-check)']],
  ['misused', 'if (later()) await later()\n', ['typescript(no-misused-promises)']],
  ['awaited', 'await later()\nawait kind\n', ['typescript(await-thenable)']],
  ['any', 'export const x: any = await later()\n', ['typescript(no-explicit-any)']],
  ['unsafe', 'export const x: number = JSON.parse("1")\n', ['typescript(no-unsafe-assignment)']],
  ['console', 'console.log(await later())\n', ['eslint(no-console)']],
  ['default', 'export default await later()\n', ['import(no-default-export)']],
  ['thrown', 'if (kind === "a") throw "text"\n', ['typescript(only-throw-error)']],
  ['types', 'import { Thing } from "./thing.ts"\nexport type Other = Thing\n', ['typescript(consistent-type-imports)']],
  ['loose', 'export const x = (await later()) == 1\n', ['eslint(eqeqeq)']],
]

test('each rule that others rely on fires, and nothing else does', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lint-'))
  try {
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    for (const [name, code] of cases) writeFileSync(path.join(folder, `${name}.ts`), PRELUDE + code)
    const found = lint(folder)
    for (const [name, , rules] of cases) assert.deepEqual(found.get(`${name}.ts`) ?? [], rules, name)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

function lint(folder: string): Map<string, string[]> {
  const oxlint = path.join(ROOT, 'node_modules/oxlint/bin/oxlint')
  const config = path.join(ROOT, '.oxlintrc.json')
  const files = cases.map(([name]) => `${name}.ts`)
  const { stdout } = spawnSync(
    process.execPath,
    [oxlint, '--type-aware', '--config', config, '--format', 'json', ...files],
    {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, OXLINT_TSGOLINT_PATH: path.join(ROOT, 'node_modules/.bin/tsgolint') },
    },
  )
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] }
  const found = new Map<string, string[]>()
  for (const { code, filename } of diagnostics) {
    const name = path.basename(filename)
    found.set(name, [...(found.get(name) ?? []), code])
  }
  return found
}
