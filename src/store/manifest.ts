/** The list of what is in a backup, so that what is missing or changed is noticed before anybody needs it. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fail, ok, type Result } from '../base/result.ts'

export const MANIFEST_FILE = 'manifest.jsonl'
const FORMAT = 1
/** What a backup may hold; nothing that leads out of its folder. */
const NAME = /^(?:sealpost\.db|sealpost\.yaml|master\.key|master\.key\.sealed|bytes\/[0-9a-f]{2}\/[0-9a-f]{32})$/
const SHA256 = /^[0-9a-f]{64}$/

export interface BackupFile {
  readonly name: string
  readonly sizeBytes: number
  /** Hexadecimal. */
  readonly sha256: string
}

export interface BackupHead {
  readonly createdMs: number
  /** Under which the data keys are wrapped. */
  readonly masterKeyId: string
  /** Rows of tables. */
  readonly rows: Readonly<Record<string, number>>
}

export interface Manifest extends BackupHead {
  readonly files: readonly BackupFile[]
}

/** One JSON object a line; the last one says that nothing is missing. Written last of all, durable when this resolves. */
export async function writeManifest(folder: string, { files, ...head }: Manifest): Promise<void> {
  const lines = [{ format: FORMAT, ...head }, ...files, { end: files.length }]
  await using file = await open(join(folder, MANIFEST_FILE), 'wx', 0o600)
  await file.writeFile(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  await file.sync()
}

export async function readManifest(folder: string): Promise<Result<Manifest>> {
  try {
    return parseManifest(await readFile(join(folder, MANIFEST_FILE), 'utf8'))
  } catch (error) {
    return fail(`${folder} is no finished backup: ${error instanceof Error ? error.message : String(error)}`)
  }
}

export function parseManifest(text: string): Result<Manifest> {
  const lines = text.split('\n').filter((line) => line !== '')
  try {
    const [head, ...rest] = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
    const end = rest.pop()
    if (head?.['format'] !== FORMAT) return fail('the manifest is of another format than this program reads')
    if (end?.['end'] !== rest.length) return fail('the manifest is cut off: the backup was not finished')
    const wrong = rest.find((line) => !isBackupFile(line))
    if (wrong !== undefined) return fail(`the manifest names what no backup holds: ${JSON.stringify(wrong)}`)
    const { createdMs, masterKeyId, rows } = head as unknown as BackupHead
    return ok({ createdMs, masterKeyId, rows, files: rest as unknown as BackupFile[] })
  } catch {
    return fail('the manifest cannot be read')
  }
}

function isBackupFile({ name, sizeBytes, sha256 }: Readonly<Record<string, unknown>>): boolean {
  return (
    typeof name === 'string' &&
    NAME.test(name) &&
    Number.isSafeInteger(sizeBytes) &&
    typeof sha256 === 'string' &&
    SHA256.test(sha256)
  )
}

export async function hashFile(folder: string, name: string): Promise<BackupFile> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  for await (const chunk of createReadStream(join(folder, name))) {
    hash.update(chunk as Buffer)
    sizeBytes += (chunk as Buffer).length
  }
  return { name, sizeBytes, sha256: hash.digest('hex') }
}

/** What is wrong with the file, if anything. */
export async function faultOf(folder: string, file: BackupFile): Promise<string | undefined> {
  try {
    const { sha256 } = await hashFile(folder, file.name)
    return sha256 === file.sha256 ? undefined : `${file.name} is not what was backed up`
  } catch (error) {
    return `${file.name}: ${error instanceof Error ? error.message : String(error)}`
  }
}
