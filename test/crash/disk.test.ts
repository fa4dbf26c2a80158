/** The power cut itself: what a program did to its files, and what is left of that. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { needs } from '../support/apt.ts'
import { Disk, buildWitness } from './disk.ts'
import { DiskFaults } from './disk-faults.ts'

/** Before it is run there are `kept` (`before`) and `removed` (`still here`). */
const PROGRAM = `
const fs = process.getBuiltinModule('node:fs')
const path = (name) => process.argv[1] + (name === '' ? '' : '/' + name)
const sync = (name) => { const fd = fs.openSync(path(name), 'r'); fs.fsyncSync(fd); fs.closeSync(fd) }
const put = (name, text, isSynced) => {
  const fd = fs.openSync(path(name), 'a')
  fs.writevSync(fd, [Buffer.from(text)])
  if (isSynced) fs.fdatasyncSync(fd)
  fs.closeSync(fd)
}
put('kept', ' and after', true)
put('kept', ' and lost', false)
put('unsynced', 'of this only the name is left', false)
sync('')
put('nameless', 'of this not even that', true)
fs.mkdirSync(path('folder'))
put('folder/inside', 'synced, in a folder that nobody synced', true)
sync('folder')
fs.unlinkSync(path('removed'))
`

test('what was not synced is lost, as far as luck has it', needs('cc', 'gcc'), async (t) => {
  for (const lucky of [false, true]) {
    const folder = await run(t, PROGRAM, lucky)
    const text = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')
    assert.equal(await text('kept'), lucky ? 'before and after and lost' : 'before and after')
    assert.equal(await text('unsynced'), lucky ? 'of this only the name is left' : '')
    assert.equal(existsSync(join(folder, 'nameless')), lucky)
    assert.equal(existsSync(join(folder, 'folder/inside')), lucky)
    assert.equal(existsSync(join(folder, 'removed')), !lucky)
  }
})

test(
  'what a failed sync was to write never comes, however often a sync works after it',
  needs('cc', 'gcc'),
  async (t) => {
    const program = `
    const fs = process.getBuiltinModule('node:fs')
    const fd = fs.openSync(process.argv[1] + '/kept', 'a')
    fs.writeSync(fd, ' the first')
    try { fs.fsyncSync(fd); process.exit(1) } catch {}
    fs.writeSync(fd, ' the second')
    fs.fsyncSync(fd)`
    const folder = await run(t, program, false, 'EIO')
    assert.equal(await readFile(join(folder, 'kept'), 'latin1'), `before${'\0'.repeat(10)} the second`)
  },
)

/** What the power cut leaves of the program's folder. */
async function run(t: TestContext, program: string, lucky: boolean, sync?: 'EIO'): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-disk-'))
  t.after(() => rm(dir, { recursive: true }))
  const folder = join(dir, 'folder')
  await mkdir(folder)
  await writeFile(join(folder, 'kept'), 'before')
  await writeFile(join(folder, 'removed'), 'still here')
  const disk = new Disk(folder)
  await using faults = await DiskFaults.make(join(dir, 'control'))
  if (sync !== undefined) await faults.set({ sync, times: 1 })
  const env = {
    ...process.env,
    LD_PRELOAD: buildWitness(dir),
    DISK_ROOT: folder,
    DISK_LOG: join(dir, 'log'),
    DISK_CONTROL: faults.file,
  }
  await promisify(execFile)(process.execPath, ['-e', program, folder], { env })
  disk.replay(await readFile(join(dir, 'log')), () => lucky)
  disk.cutPower(() => lucky)
  return folder
}
