import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteRange, rangeInMemory } from '../../../base/byte-range.ts'
import { fromLatin1, latin1 } from '../../../base/bytes.ts'
import { findInline } from './inline.ts'

const MESSAGE = '-----BEGIN PGP MESSAGE-----\n\nwV4D\n-----END PGP MESSAGE-----'
const SIGNED =
  '-----BEGIN PGP SIGNED MESSAGE-----\n\n- -----END PGP SIGNATURE-----\n-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----'

const cases: readonly [text: string, found: readonly (string | undefined)[] | undefined, why: string][] = [
  [MESSAGE, ['message', '', MESSAGE, ''], 'nothing around'],
  [`a\n${MESSAGE}\nz`, ['message', 'a\n', MESSAGE, '\nz'], 'a text around'],
  [`${MESSAGE}\n${SIGNED}`, ['message', '', MESSAGE, `\n${SIGNED}`], 'the first one counts'],
  [`${SIGNED} \n${MESSAGE}`, ['signed', '', SIGNED, ` \n${MESSAGE}`], 'the first one counts, blanks behind its end'],
  [`${MESSAGE}x`, undefined, 'the last line is another'],
  [`x${MESSAGE}`, undefined, 'the first line is another'],
  [MESSAGE.slice(0, -1), undefined, 'no end'],
  ['', undefined, 'nothing'],
]
for (const [text, found, why] of cases)
  test(`${why}: ${found?.[0] ?? 'none'}`, () => {
    const bytes = fromLatin1(text)
    const slicing = { lengthBytes: bytes.length, slices: (from: number, to: number) => chop(bytes.subarray(from, to)) }
    for (const range of [rangeInMemory(bytes), new ByteRange(slicing)]) {
      const inline = findInline(range)
      const read = (piece: ByteRange): string => latin1(piece.read())
      assert.deepEqual(
        inline && [inline.kind, read(inline.around[0]), read(inline.block), read(inline.around[1])],
        found,
      )
    }
  })

test('a text full of what is almost a block costs little', () => {
  const text = rangeInMemory(fromLatin1('x-----BEGIN PGP MESSAGE-----\n'.repeat(100_000)))
  const started = performance.now()
  assert.equal(findInline(text), undefined)
  assert.ok(performance.now() - started < 500)
})

const chop = (bytes: Uint8Array): Uint8Array[] => Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
