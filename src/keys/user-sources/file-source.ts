/** Users in a file (password-file.ts), which is read again when it has changed. */
import { readFile, stat } from 'node:fs/promises'
import type { Clock } from '../../base/clock.ts'
import * as events from '../../base/events.ts'
import { type Address, addressKey } from '../../message/address.ts'
import type { Passwords } from '../password.ts'
import { type FileUser, PASSWORD_FILE_MAX_BYTES, parsePasswordFile } from './password-file.ts'
import { type FoundUser, type Proof, SourceDown, type UserSource } from './user-source.ts'

/** How often the file is looked at. */
const LOOKED_AT_MS = 1_000

export class FileSource implements UserSource {
  readonly name = 'file'
  readonly #file: string
  readonly #passwords: Passwords
  readonly #clock: Clock
  #users: ReadonlyMap<string, FileUser> | undefined
  /** What `#users` were read from, or what could not be read. */
  #seen = ''
  #why = 'it was never read'
  #lookedMs = -Infinity
  #looking: Promise<void> | undefined

  constructor(deps: { readonly file: string; readonly passwords: Passwords; readonly clock: Clock }) {
    this.#file = deps.file
    this.#passwords = deps.passwords
    this.#clock = deps.clock
  }

  async find(address: Address): Promise<FoundUser | undefined> {
    const user = await this.#user(address)
    return user && { address: user.address }
  }

  async verify(address: Address, password: string): Promise<Proof> {
    const user = await this.#user(address)
    if (user === undefined) return { kind: 'nobody' }
    const kind = await this.#passwords.verify(password, user.hash)
    return kind === 'right' ? { kind, user: { address: user.address } } : { kind }
  }

  close(): void {
    this.#users = undefined
  }

  async #user(address: Address): Promise<FileUser | undefined> {
    if (Math.abs(this.#clock.nowMs() - this.#lookedMs) >= LOOKED_AT_MS) {
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined))
      await this.#looking
    }
    if (this.#users === undefined) throw new SourceDown(`${this.#file}: ${this.#why}`)
    return this.#users.get(addressKey(address))
  }

  /** A file that is gone or wrong changes nothing, and is said once: those who were users a moment ago still are. */
  async #look(): Promise<void> {
    let seen = 'gone'
    try {
      const { ino, size, mtimeMs, ctimeMs } = await stat(this.#file)
      seen = [ino, size, mtimeMs, ctimeMs].join(' ')
      if (seen !== this.#seen) this.#users = await readUsers(this.#file, size)
    } catch (error) {
      if (seen !== this.#seen) events.trouble({ during: `reading the users of ${this.#file}`, error })
      this.#why = error instanceof Error ? error.message : String(error)
    }
    this.#seen = seen
    this.#lookedMs = this.#clock.nowMs()
  }
}

async function readUsers(file: string, sizeBytes: number): Promise<ReadonlyMap<string, FileUser>> {
  if (sizeBytes > PASSWORD_FILE_MAX_BYTES) throw new Error(`it is larger than ${PASSWORD_FILE_MAX_BYTES} bytes`)
  const parsed = parsePasswordFile(await readFile(file, 'utf8'))
  if (!parsed.ok) throw new Error(parsed.error)
  return parsed.value
}
