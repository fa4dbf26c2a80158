/** The program as it was before the newest migration of the database came, out of the repository's own history. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, symlinkSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MIGRATIONS } from '../../src/store/migrations/list.ts'

const ROOT = join(import.meta.dirname, '../..')
const FOLDER = 'src/store/migrations'

export interface FormerVersion extends AsyncDisposable {
  /** Its `bin/sealpost`. */
  readonly program: string
}

/** Options of a test: a package has no history, a shallow clone too little. */
export function needsHistory(): { skip: string | false } {
  return { skip: formerCommit() === undefined ? 'the history of the newest migration is not here' : false }
}

/** With the libraries of this version. */
export function formerVersion(): FormerVersion {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-former-'))
  const files = execFileSync('git', ['archive', formerCommit() ?? '', 'bin', 'src', 'package.json'], {
    cwd: ROOT,
    maxBuffer: 2 ** 28,
  })
  execFileSync('tar', ['--extract'], { cwd: dir, input: files })
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'))
  return {
    program: join(dir, 'bin/sealpost'),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

/** The parent of the commit that has brought the newest migration; while that is not committed yet, the newest commit. */
function formerCommit(): string | undefined {
  const number = String(MIGRATIONS.length).padStart(3, '0')
  const file = readdirSync(join(ROOT, FOLDER)).find((name) => name.startsWith(number)) ?? ''
  try {
    const brought = git('log', '--diff-filter=A', '--format=%H', '-1', '--', `${FOLDER}/${file}`)
    return git('rev-parse', '--verify', '--quiet', brought === '' ? 'HEAD' : `${brought}^`)
  } catch {
    return undefined
  }
}

const git = (...args: string[]): string =>
  execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
