import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inPieces } from './in-pieces.ts'

async function sizes(chunkLengths: readonly number[], minBytes: number): Promise<number[]> {
  let next = 0
  async function* chunks(): AsyncIterable<Uint8Array> {
    for (const length of chunkLengths) yield Uint8Array.from({ length }, () => next++)
  }
  const pieces: Uint8Array[] = []
  for await (const piece of inPieces(chunks(), minBytes)) pieces.push(piece)
  const all = Buffer.concat(pieces)
  assert.deepEqual(
    [...all],
    [...Uint8Array.from({ length: next }, (_none, index) => index)],
    'nothing lost, nothing moved',
  )
  return pieces.map((piece) => piece.length)
}

const cases: readonly [chunks: readonly number[], minBytes: number, pieces: readonly number[], why: string][] = [
  [[], 4, [], 'nothing'],
  [[0, 0], 4, [], 'empty chunks are no piece'],
  [[1], 4, [1], 'the last piece may be smaller'],
  [[1, 1, 1, 1, 1], 4, [4, 1], 'small chunks are gathered'],
  [[3, 3, 3], 4, [6, 3], 'chunks are not cut'],
  [[10, 1, 10], 4, [10, 11], 'a large chunk goes on at once'],
]
for (const [chunks, minBytes, pieces, why] of cases)
  test(why, async () => assert.deepEqual(await sizes(chunks, minBytes), pieces))

test('a mail whose lines come in TLS records of their own (msmtp) is not handed on line by line', async () => {
  const lines = Array.from({ length: 10_000 }, () => 78)
  assert.equal((await sizes(lines, 65_536)).length, Math.ceil(780_000 / 65_598))
})
