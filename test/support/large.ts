/** Bytes that are read as if they were too many for memory, in slices of any size. */
import { isAscii } from 'node:buffer'
import assert from 'node:assert/strict'
import { type ByteKeeper, ByteRange, type OpenSpill } from '../../src/base/byte-range.ts'
import { Collector } from '../../src/base/byte-sink.ts'
import { concatBytes, equalBytes } from '../../src/base/bytes.ts'
import { type Findings, type PackedRing, type PeelReport, openLarge } from '../../src/protection/jobs.ts'

export const inSlices = (bytes: Uint8Array, sliceBytes: number): ByteRange =>
  new ByteRange(slicing(() => bytes, sliceBytes))

function slicing(kept: () => Uint8Array, sliceBytes: number): ByteKeeper {
  return {
    get lengthBytes() {
      return kept().length
    },
    *slices(from, to) {
      for (let at = from; at < to; at += sliceBytes) yield kept().subarray(at, Math.min(at + sliceBytes, to))
    },
    isAscii: (from, to) => isAscii(kept().subarray(from, to)),
  }
}

/** Spills that stay in memory. `open` holds those that were not dropped. */
export function memorySpills(sliceBytes: number): { readonly openSpill: OpenSpill; readonly open: Set<unknown> } {
  const open = new Set<unknown>()
  const openSpill: OpenSpill = () => {
    const collector = new Collector()
    let kept: Uint8Array = new Uint8Array()
    const keeper = slicing(() => kept, sliceBytes)
    const spill = {
      write: (chunk: Uint8Array) => collector.write(Uint8Array.from(chunk)),
      end: () => {
        kept = concatBytes(collector.take())
      },
      get range() {
        return new ByteRange(keeper)
      },
      holds: (range: ByteRange) => range.keeper === keeper,
      drop: () => void open.delete(spill),
    }
    open.add(spill)
    return spill
  }
  return { openSpill, open }
}

/**
 * A mail that is opened as if it were too large for memory gives the same report and the same bytes; no spill is left. Which of
 * two defects in its bytes is met first may depend on where the slices end: for a mail that may have several, `anyDefect`.
 */
export function assertSameWhenLarge(
  raw: Uint8Array,
  ring: PackedRing,
  atMs: number,
  { message, ...report }: PeelReport,
  what: string,
  reasons: 'same' | 'anyDefect' = 'same',
): void {
  const { openSpill, open } = memorySpills(SLICE_BYTES)
  const opened = openLarge(inSlices(raw, SLICE_BYTES), ring, atMs, openSpill)
  const { findings, shown } = opened
  if (reasons === 'same') assert.deepEqual(findings, report, what)
  else assert.deepEqual(withoutDefects(findings), withoutDefects(report), what)
  if (shown.kind === 'nothing') assert.equal(message, undefined, what)
  else if (message === undefined) assert.fail(`${what}: shown when it is large`)
  else if (shown.kind === 'as-it-came') assert.ok(equalBytes(message, raw), what)
  else assert.ok(equalBytes(message, concatBytes([...shown.pieces])), what)
  opened[Symbol.dispose]()
  assert.equal(open.size, 0, `${what}: spills were left`)
}

/** What cannot be read has a defect, whichever. */
function withoutDefects({ layers, summary, ...rest }: Findings): Findings {
  const defects = layers.flatMap(({ verdict, why }) => (verdict === 'invalid' || verdict === 'broken' ? [why] : []))
  const mask = (why: string): string => (defects.includes(why) ? 'some defect' : why)
  return {
    ...rest,
    summary: { ...summary, reason: summary.reason === null ? null : mask(summary.reason) },
    layers: layers.map((layer) => (layer.why === undefined ? layer : { ...layer, why: mask(layer.why) })),
  }
}

/** So small that everything of interest lies across a seam somewhere. */
const SLICE_BYTES = 61
