import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CompiledQuery } from 'kysely'
import { type RowKind, WaitingRows } from './late-writer.ts'

const BYTES: RowKind = { isReferredTo: true }
const QUEUE: RowKind = { isReferredTo: false }
const TRACE: RowKind = { isReferredTo: false }

const cases: readonly [added: readonly (readonly [RowKind, string])[], sent: readonly string[], why: string][] = [
  [
    [
      [BYTES, 'bytes 1'],
      [QUEUE, 'queue 1'],
    ],
    ['bytes 1', 'queue 1'],
    'a mail: its bytes, then the row that refers to them',
  ],
  [
    [
      [QUEUE, 'queue old'],
      [BYTES, 'bytes 2'],
      [QUEUE, 'queue 2'],
    ],
    ['bytes 2', 'queue old+queue 2'],
    'a row for older bytes, then a mail with new ones: the new bytes go first all the same',
  ],
  [
    [
      [TRACE, 'trace 1'],
      [QUEUE, 'queue 1'],
      [TRACE, 'trace 2'],
    ],
    ['trace 1+trace 2', 'queue 1'],
    'nobody refers to either: in the order in which they came',
  ],
]

for (const [added, sent, why] of cases)
  test(`waiting rows: ${why}`, () => {
    const waiting = new WaitingRows()
    for (const [kind, row] of added) waiting.add(kind, asText, row)
    assert.deepEqual(
      waiting.take().map(({ sql }) => sql),
      sent,
    )
    assert.deepEqual(waiting.take(), [])
  })

const asText = (rows: readonly string[]): CompiledQuery => ({ sql: rows.join('+') }) as CompiledQuery
