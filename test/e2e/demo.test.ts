/** What a stranger sees first: the demo ends well, in time, shows every step, and fits a terminal. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const DEMO = fileURLToPath(new URL('../../demo/demo.ts', import.meta.url))
const MARKS = 'S2 S3 A1 A2 A3 A4 B1 B2 B3 B4 B5 B6 B7 B8'.split(' ')
const COLUMNS_MAX = 100

test('the demo shows each step of the patent, and ends with status 0', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [DEMO], { timeout: 120_000, maxBuffer: 2 ** 24 })
  const lines = stdout.split('\n')
  for (const mark of MARKS)
    assert(
      lines.some((line) => line.startsWith(`${mark} `)),
      `no line begins with ${mark}`,
    )
  assert.match(stdout, /^B5 {2}✓ reception is refused: 550 5\.7\.7/m)
  assert.match(stdout, /Everything happened as the patent says/)
  assert.doesNotMatch(stdout, /✗/)
  // oxlint-disable-next-line no-control-regex -- that there are none is the point
  assert.doesNotMatch(stdout, /\x1b/, 'no colours in a pipe')
  assert.deepEqual(
    lines.filter((line) => line.length > COLUMNS_MAX),
    [],
  )
})
