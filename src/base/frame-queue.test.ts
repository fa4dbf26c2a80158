import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FrameQueue } from './frame-queue.ts'

const text = (pieces: readonly Uint8Array[]): string => Buffer.concat(pieces).toString()

const cases: readonly [chunks: readonly string[], frames: readonly string[], rest: string, why: string][] = [
  [['ab', 'cd'], [], 'abcd', 'a frame that is just full may be the last'],
  [['ab', 'cde'], ['abcd'], 'e', 'one octet more, and it is not'],
  [['abcdefghi'], ['abcd', 'efgh'], 'i', 'one chunk, several frames'],
  [['abcdefgh'], ['abcd'], 'efgh', 'the last of several full frames is kept'],
  [['a', 'bcdef', '', 'gh', 'i'], ['abcd', 'efgh'], 'i', 'seams everywhere'],
  [[], [], '', 'nothing'],
]
for (const [chunks, frames, rest, why] of cases)
  test(`frames of four octets: ${why}`, () => {
    const queue = new FrameQueue(4)
    const taken: string[] = []
    for (const chunk of chunks) {
      queue.push(Buffer.from(chunk))
      taken.push(...queue.takeFrames().map(text))
    }
    assert.deepEqual(taken, frames)
    assert.equal(queue.keptBytes, rest.length)
    assert.equal(text(queue.takeRest()), rest)
    assert.equal(queue.keptBytes, 0)
  })
