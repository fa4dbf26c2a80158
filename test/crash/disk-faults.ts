/** What the server's disk does wrong, and its clock: told to disk-witness.c while the server runs. */
import { constants } from 'node:os'
import { open, type FileHandle } from 'node:fs/promises'

export interface Faults {
  /** Of writes, and of all that makes or removes files. */
  readonly write?: keyof typeof constants.errno
  readonly sync?: keyof typeof constants.errno
  /** How often that happens; else until told otherwise. */
  readonly times?: number
  /** Before each write and each sync. */
  readonly delayUs?: number
  readonly clockShiftSeconds?: number
  /** What is left on the disk; the last write that fits is cut short. */
  readonly roomBytes?: number
}

/** `struct control` of disk-witness.c: so many int32. */
const WORDS = 7
const FAILED_AT = 3 * 4

export class DiskFaults {
  readonly file: string
  readonly #handle: FileHandle

  private constructor(file: string, handle: FileHandle) {
    this.file = file
    this.#handle = handle
  }

  static async make(file: string): Promise<DiskFaults> {
    const faults = new DiskFaults(file, await open(file, 'w+'))
    await faults.set({})
    return faults
  }

  /** From now on; without faults all is well again. */
  async set(faults: Faults): Promise<void> {
    const { write, sync, times = -1, delayUs = 0, clockShiftSeconds = 0, roomBytes = -1 } = faults
    const codeOf = (name: keyof typeof constants.errno | undefined): number =>
      name === undefined ? 0 : constants.errno[name]
    const words = Buffer.alloc(WORDS * 4)
    const values = [codeOf(write), codeOf(sync), times, 0, delayUs, clockShiftSeconds, roomBytes]
    for (const [index, value] of values.entries()) words.writeInt32LE(value, index * 4)
    await this.#handle.write(words, 0, words.length, 0)
  }

  /** How often something went wrong since the last `set`. */
  async failed(): Promise<number> {
    const { buffer } = await this.#handle.read(Buffer.alloc(4), 0, 4, FAILED_AT)
    return buffer.readInt32LE(0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}
