/** The folders in which message files lie, by the first digits of their names. */
import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export class ShardFolders {
  readonly #folder: string
  readonly #made = new Map<string, Promise<void>>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * Resolves when the shard is there and its name is durable. Also for one that is there already: whoever made it may have
   * failed, or died, before its name was.
   */
  make(shard: string): Promise<void> {
    const known = this.#made.get(shard)
    if (known !== undefined) return known
    const made = this.#make(shard)
    this.#made.set(shard, made)
    made.catch(() => this.#made.delete(shard))
    return made
  }

  async #make(shard: string): Promise<void> {
    await mkdir(join(this.#folder, shard), { recursive: true, mode: 0o700 })
    await syncFolder(this.#folder)
    await syncFolder(dirname(this.#folder))
  }
}

/** A new file's name is durable only when its folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
