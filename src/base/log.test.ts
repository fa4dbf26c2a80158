import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger, type LogLevel } from './log.ts'

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
