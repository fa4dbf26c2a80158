/** A real file system that is full: 452 and 451 while it lasts, nothing lost, and all is well as soon as there is room. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cp, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { SEED, seededRandom } from '../crash/points.ts'
import { until } from '../crash/victim.ts'
import { World } from '../crash/world.ts'

const DISK_MB = 48
const FULL_MS = 3_000
const RECOVERED = 12

/** Only root may mount, and not in every container. */
async function mayMount(): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'sealpost-mount-'))
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'sealpost-test', folder])
  if (status === 0) execFileSync('umount', [folder])
  await rm(folder, { recursive: true })
  return status === 0
}

const skip = (await mayMount()) ? false : 'a file system cannot be mounted here (root only)'

test('the file system is full: the server refuses for a while, loses nothing, and goes on', { skip }, async (t) => {
  await using world = await World.make({ random: seededRandom(SEED), witness: false, clients: { out: 2, in: 2 } })
  const { home } = world
  const aside = `${home}.aside`
  await cp(home, aside, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m,mode=700`, 'sealpost-test', home])
  try {
    await cp(aside, home, { recursive: true })
    await world.start()
    world.beginLoad()
    await until('mail flows', async () => world.ledger.accepted > RECOVERED)
    for (const leftBytes of [0, 64 * 1024, 1024 * 1024]) {
      await fill(home, leftBytes)
      const refused = world.figures.refusals.length
      await wait(FULL_MS)
      const heard = new Set(world.figures.refusals.slice(refused))
      t.diagnostic(`${leftBytes} bytes left: ${[...heard].join(' | ')}`)
      assert(heard.size > 0, 'nobody was refused')
      await rm(join(home, 'filler'))
      const { accepted } = world.ledger
      await until('it has recovered', async () => world.ledger.accepted > accepted + RECOVERED)
    }
    await world.finish()
    const { lost, duplicated, wrong } = world.ledger.verdict()
    process.stdout.write(
      `3 full disks, ${world.ledger.accepted} accepted, ${lost.length} lost, ${duplicated.length} duplicated\n`,
    )
    assert.deepEqual({ lost, duplicated, wrong }, { lost: [], duplicated: [], wrong: [] })
    assert.equal(await world.provider.stop(), 0)
  } finally {
    execFileSync('umount', ['--lazy', home])
  }
})

/** Takes all room but so much. */
async function fill(folder: string, leftBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const file = join(folder, 'filler')
  try {
    await writeFile(file, Buffer.alloc(Math.max(0, bavail * bsize - leftBytes)))
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOSPC') throw error // the server was faster
  }
}
