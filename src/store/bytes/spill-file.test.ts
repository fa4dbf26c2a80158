import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { BytesDamaged, type DataKey, FRAME_BYTES, Sealer } from './sealing.ts'
import { openSealedFile, openSpill } from './spill-file.ts'

const SIZES = [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 9 * FRAME_BYTES, 20 * FRAME_BYTES + 5]

test('what was spilled is read back, at any place', (t) => {
  const folder = tempFolder(t)
  for (const size of SIZES)
    for (const chunkBytes of [FRAME_BYTES, 100_003]) {
      const bytes = randomBytes(size)
      const spill = openSpill(folder)
      for (let at = 0; at < size; at += chunkBytes) spill.write(bytes.subarray(at, at + chunkBytes))
      spill.end()
      assert.ok(bytes.equals(spill.range.read()), `${size} in ${chunkBytes}`)
      for (const [from, to] of [
        [size - 3, size],
        [0, 5],
        [size >> 1, (size >> 1) + FRAME_BYTES + 7],
      ] as const)
        assert.ok(bytes.subarray(Math.max(0, from), to).equals(spill.range.read(Math.max(0, from), to)))
      spill.drop()
      spill.drop()
    }
})

test('a spill has no name on the disk, not even while it is written', (t) => {
  const folder = tempFolder(t)
  const spill = openSpill(folder)
  spill.write(Buffer.alloc(2 ** 20, 'secret'))
  assert.deepEqual(readdirSync(folder), [])
  spill.drop()
})

test('a spill that was not ended, or was dropped, cannot be read', (t) => {
  const spill = openSpill(tempFolder(t))
  assert.throws(() => spill.range, /before its end/)
  spill.write(Buffer.alloc(10))
  spill.end()
  const { range } = spill
  spill.drop()
  assert.throws(() => range.read(), /EBADF|bad file descriptor/)
})

test('a message file is read at any place; one that was changed or cut off is not', (t) => {
  const folder = tempFolder(t)
  const dataKey: DataKey = { id: 1, key: createSecretKey(randomBytes(32)) }
  const bytes = randomBytes(3 * FRAME_BYTES + 100)
  const sealer = new Sealer(dataKey, 'message')
  const frames = [0, 1, 2].flatMap((n) => sealer.frame([bytes.subarray(n * FRAME_BYTES, (n + 1) * FRAME_BYTES)], false))
  const sealed = Buffer.concat([sealer.header, ...frames, ...sealer.frame([bytes.subarray(3 * FRAME_BYTES)], true)])
  const path = join(folder, 'message')
  writeFileSync(path, sealed)
  const file = openSealedFile({ path, dataKey, sizeBytes: bytes.length })
  t.after(() => file.close())
  assert.ok(bytes.equals(file.range.read()))
  assert.ok(bytes.subarray(-200).equals(file.range.read(bytes.length - 200)))

  sealed[sealed.length - 120] = (sealed.at(-120) ?? 0) ^ 1
  writeFileSync(path, sealed)
  const changed = openSealedFile({ path, dataKey, sizeBytes: bytes.length })
  t.after(() => changed.close())
  assert.throws(() => changed.range.read(), BytesDamaged)
  assert.ok(bytes.subarray(0, FRAME_BYTES).equals(changed.range.read(0, FRAME_BYTES)))

  writeFileSync(path, sealed.subarray(0, -50))
  const cut = openSealedFile({ path, dataKey, sizeBytes: bytes.length })
  t.after(() => cut.close())
  assert.throws(() => cut.range.read(), BytesDamaged)
})

function tempFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sealpost-spill-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}
