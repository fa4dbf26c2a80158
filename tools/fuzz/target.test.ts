import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { fuzz, type FuzzOutcome } from './target.ts'

async function fuzzTarget(t: TestContext, body: string, folder?: string): Promise<FuzzOutcome & { folder: string }> {
  const root = folder ?? mkdtempSync(path.join(tmpdir(), 'fuzz-'))
  if (folder === undefined) t.after(() => rmSync(root, { recursive: true }))
  const file = path.join(root, 'x.fuzz.ts')
  writeFileSync(file, `${body}\nexport const seeds = () => [new TextEncoder().encode('seed 10')]\n`)
  const outcome = await fuzz({
    file,
    corpusFolder: path.join(root, 'corpus'),
    seconds: 1,
    seed: 1,
    inputTimeoutMs: 400,
  })
  return { ...outcome, folder: root }
}

test('a target that holds passes, and says how much it was fed', async (t) => {
  const outcome = await fuzzTarget(t, 'export function target(bytes: Uint8Array) { if (bytes.length < 0) throw 1 }')
  assert.equal(outcome.kind, 'passed')
  assert.ok(outcome.kind === 'passed' && outcome.executions > 100)
})

const failures: readonly [why: string, body: string, expected: RegExp][] = [
  ['a throw', 'export function target(b: Uint8Array) { if (b.length > 20) throw new Error("too long") }', /too long/],
  ['a rejection', 'export async function target(b: Uint8Array) { if (b.includes(0)) throw new Error("NUL") }', /NUL/],
  ['an endless loop', 'export function target(b: Uint8Array) { while (b.length > 20); }', /no end after 400 ms/],
  ['an exit', 'export function target(b: Uint8Array) { if (b.length > 20) process.exit(4) }', /ended with code 4/],
  ['a seed that fails', 'export function target(b: Uint8Array) { throw new Error(`${b.length}`) }', /Error: 7/],
]
for (const [why, body, expected] of failures)
  test(`${why} is found, kept, and fed first the next time`, async (t) => {
    const first = await fuzzTarget(t, body)
    assert.match(first.kind === 'failed' ? first.why : '', expected)
    const kept = readdirSync(path.join(first.folder, 'corpus'))
    assert.equal(kept.length, 1)
    const again = await fuzzTarget(t, body, first.folder)
    assert.equal(again.kind === 'failed' && again.savedAs, first.kind === 'failed' && first.savedAs)
  })

test('what is kept is the input that failed', async (t) => {
  const outcome = await fuzzTarget(
    t,
    'export function target(b: Uint8Array) { if (b[0] === 0x80) throw new Error("x") }',
  )
  assert.ok(outcome.kind === 'failed')
  assert.equal(readFileSync(outcome.savedAs)[0], 0x80)
})

test('a target that cannot be loaded fails', async (t) => {
  const outcome = await fuzzTarget(t, 'import "./missing.ts"\nexport const target = () => {}')
  assert.match(outcome.kind === 'failed' ? outcome.why : '', /missing\.ts/)
})
