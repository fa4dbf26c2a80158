import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { eventually } from '../../test/support/eventually.ts'
import { createLogger, together, type LogLevel } from './log.ts'

function linesAt(level: LogLevel, use: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = []
  use(createLogger(level, { write: (line) => void lines.push(line) }))
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

test('a line is one JSON object with level, time, fields and text', () => {
  const [line] = linesAt('info', (logger) => logger.info({ event: 'ready', port: 25 }, 'all\nup'))
  assert.match(String(line?.['time']), /^\d{4}-\d\d-\d\dT/)
  assert.deepEqual({ ...line, time: '' }, { level: 'info', time: '', event: 'ready', port: 25, msg: 'all\nup' })
})

test('an error is written with its stack', () => {
  const [line] = linesAt('info', (logger) => logger.error({ error: new TypeError('bad') }, 'x'))
  const error = line?.['error'] as { type: string; message: string; stack: string }
  assert.deepEqual([error.type, error.message], ['TypeError', 'bad'])
  assert.match(error.stack, /log\.test\.ts/)
})

const levels: readonly [level: LogLevel, written: string[]][] = [
  ['debug', ['debug', 'info', 'warn', 'error']],
  ['warn', ['warn', 'error']],
  ['silent', []],
]
for (const [level, written] of levels)
  test(`level ${level} writes ${written.join(', ') || 'nothing'}`, () => {
    const lines = linesAt(level, (logger) => {
      for (const name of ['debug', 'info', 'warn', 'error'] as const) logger[name]({}, '')
    })
    assert.deepEqual(
      lines.map((line) => line['level']),
      written,
    )
  })

test('lines that follow each other closely are written together', async () => {
  const written: string[] = []
  const log = createLogger('info', together({ write: (lines) => void written.push(lines) }))
  for (const text of ['one', 'two', 'three']) log.info({}, text)
  await turn()
  assert.equal(written.length, 0)
  await eventually(() => assert.equal(written.length, 1))
  assert.deepEqual(written[0]?.match(/one|two|three|\n/g), ['one', '\n', 'two', '\n', 'three', '\n'])
})

test('what is logged last before the process exits is written', () => {
  const script = `import { createLogger } from '${import.meta.resolve('./log.ts')}'
    createLogger('info').info({}, 'last words')
    process.exit(3)`
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  assert.deepEqual([status, stdout.endsWith('"msg":"last words"}\n')], [3, true])
})

test('many lines do not wait for the end of a long turn', () => {
  const written: string[] = []
  const log = createLogger('info', together({ write: (lines) => void written.push(lines) }))
  for (let line = 0; line < 1000; line++) log.info({}, 'x'.repeat(100))
  assert.ok(written.length > 5)
})
