/** The master key: 32 random bytes under which all data keys are wrapped. Who has it and the disk can read everything. */
import { createHash, createSecretKey, randomBytes } from 'node:crypto'
import { open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Buffer } from 'node:buffer'
import { fail, ok, type Result } from '../base/result.ts'
import type { MasterKey } from '../store/bytes/data-keys.ts'

export const MASTER_KEY_FILE = 'master.key'
/** Holds the key as 64 hex digits; then no file is read. */
export const MASTER_KEY_VARIABLE = 'SEALPOST_MASTER_KEY'
const MASTER_KEY_BYTES = 32
const GROUP_AND_OTHERS = 0o077

/** Makes `DIR/master.key`, mode 0600, durable before it returns. Throws when there is one already: it is never replaced. */
export async function createMasterKey(dir: string): Promise<MasterKey> {
  return writeMasterKey(dir, randomBytes(MASTER_KEY_BYTES))
}

/** The same with a key that there is already; `bytes` are overwritten with zeros. */
export async function writeMasterKey(dir: string, bytes: Uint8Array): Promise<MasterKey> {
  const file = await open(join(dir, MASTER_KEY_FILE), 'wx', 0o600)
  try {
    await file.writeFile(`${Buffer.from(bytes).toString('hex')}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  return masterKeyOf(bytes)
}

/** From the environment if it is there, else from the file. The error is a sentence that says what to do. */
export async function loadMasterKey(
  dir: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Result<MasterKey>> {
  const given = environment[MASTER_KEY_VARIABLE]
  if (given !== undefined) return masterKeyFrom(given, `the environment variable ${MASTER_KEY_VARIABLE}`)
  const path = join(dir, MASTER_KEY_FILE)
  const text = await readSecretFile(path)
  return text.ok ? masterKeyFrom(text.value, path) : text
}

/** Refuses a file that others may read or write. */
async function readSecretFile(path: string): Promise<Result<string>> {
  try {
    const { mode } = await stat(path)
    if ((mode & GROUP_AND_OTHERS) !== 0)
      return fail(`${path} is open to others (mode ${(mode & 0o777).toString(8)}): run chmod 600 ${path}`)
    return ok(await readFile(path, 'utf8'))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return fail(`The master key cannot be read: ${why}. Run "sealpost init", or set ${MASTER_KEY_VARIABLE}`)
  }
}

/** Of a text that was read from `where`. */
export function masterKeyFrom(text: string, where: string): Result<MasterKey> {
  const digits = text.trim()
  if (!/^[0-9a-f]{64}$/i.test(digits)) return fail(`${where} does not hold a master key: 64 hex digits are expected`)
  return ok(masterKeyOf(Buffer.from(digits, 'hex')))
}

function masterKeyOf(bytes: Uint8Array): MasterKey {
  const id = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return { id, key }
}
