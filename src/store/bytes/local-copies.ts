/** Sealed bytes in files of this node, for as long as somebody needs them there. */
import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

const SUFFIX = '.copy'
/** Nothing reads or writes one for so long. */
const COPY_MAX_MS = 6 * 60 * 60_000

export interface LocalCopy {
  readonly path: string
  /** Open for writing; whoever made it closes it. */
  readonly file: FileHandle
}

export class LocalCopies {
  readonly #folder: string

  /** `folder` is made at need. */
  constructor(folder: string) {
    this.#folder = folder
  }

  async create(): Promise<LocalCopy> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const path = join(this.#folder, `${randomBytes(16).toString('hex')}${SUFFIX}`)
    return { path, file: await open(path, 'wx', 0o600) }
  }

  /** A copy of what `chunks` says; nothing is left when that fails. */
  async take(chunks: AsyncIterable<Uint8Array>): Promise<string> {
    const { path, file } = await this.create()
    try {
      for await (const chunk of chunks) await file.writeFile(chunk)
      return path
    } catch (error) {
      await this.remove(path)
      throw error
    } finally {
      await file.close()
    }
  }

  isOne(path: string): boolean {
    return path.startsWith(this.#folder) && path.endsWith(SUFFIX)
  }

  async remove(path: string): Promise<void> {
    await rm(path, { force: true })
  }

  /** Those that a crash of this node has left, at its start. */
  async sweep(): Promise<void> {
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const path = join(this.#folder, name)
      const found = await stat(path).catch(() => undefined)
      if (found?.isFile() === true && found.mtimeMs <= Date.now() - COPY_MAX_MS) await rm(path, { force: true })
    }
  }
}

/** All of `pieces`, one after the other. */
export async function writeAll(file: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  const { bytesWritten } = await file.writev(pieces)
  const wanted = pieces.reduce((sum, piece) => sum + piece.length, 0)
  if (bytesWritten !== wanted) throw new Error(`Only ${bytesWritten} of ${wanted} bytes were written: the disk is full`)
}
