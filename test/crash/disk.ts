/**
 * What a power cut leaves of a folder: all that was synced, and of the rest whatever the kernel happened to have written. It
 * is found from the record that disk-witness.c makes of what the server does there. Bytes of a file are safe when the file was
 * synced after them, its name when its folder was (POSIX fsync; no file system promises less).
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCE = fileURLToPath(new URL('disk-witness.c', import.meta.url))
const MAGIC = 0x57495431
const HEAD_BYTES = 32
/** The kernel writes pages, each for itself. */
const PAGE_BYTES = 4096
const O_TRUNC = 0o1000

/** By their numbers in disk-witness.c. */
const WHATS = [
  'nothing',
  'open',
  'close',
  'write',
  'truncate',
  'sync-begin',
  'sync-end',
  'sync-failed',
  'unlink',
  'rename',
  'mkdir',
  'rmdir',
] as const

export interface DiskRecord {
  readonly what: (typeof WHATS)[number]
  readonly pid: number
  readonly fd: number
  /** Offset, length of the file, flags of open, or number of the sync. */
  readonly at: number
  /** What was written, or a path. */
  readonly data: Buffer
}

/** The path of what is to be preloaded. Needs a C compiler (Debian: gcc, libc6-dev). */
export function buildWitness(folder: string): string {
  const built = join(folder, 'disk-witness.so')
  execFileSync('cc', ['-O2', '-shared', '-fPIC', '-o', built, SOURCE, '-ldl'])
  return built
}

/** The record, without what was cut off at its end. */
export function* readRecords(log: Buffer): Generator<DiskRecord, void, undefined> {
  let at = 0
  while (at + HEAD_BYTES <= log.length) {
    if (log.readUInt32LE(at) !== MAGIC) throw new Error(`the record of the disk is broken at ${at}`)
    const end = at + HEAD_BYTES + Number(log.readBigUInt64LE(at + 24))
    if (end > log.length) return
    yield {
      what: WHATS[log.readUInt32LE(at + 4)] ?? 'nothing',
      pid: log.readInt32LE(at + 8),
      fd: log.readInt32LE(at + 12),
      at: Number(log.readBigInt64LE(at + 16)),
      data: log.subarray(at + HEAD_BYTES, end),
    }
    at = end
  }
}

/** Does what has not been synced come through? Asked for each page and each change of a folder. */
export type Luck = () => boolean

/** A change of a file that is not on the disk yet: some of its bytes, or (without `data`) its length. */
interface Change {
  readonly at: number
  readonly data?: Buffer
}

class FileNode {
  readonly mode: number
  #bytes: Buffer
  #length: number
  #pending: Change[] = []

  constructor(bytes: Buffer, mode: number) {
    this.#bytes = bytes
    this.#length = bytes.length
    this.mode = mode
  }

  change(change: Change): void {
    this.#pending.push(change)
  }

  /** All that was changed so far. */
  mark(): ReadonlySet<Change> {
    return new Set(this.#pending)
  }

  /** The marked changes are on the disk; or, when the sync has failed, as many as had luck, and the others never will be. */
  sync(marked: ReadonlySet<Change>, luck: Luck = () => true): void {
    for (const change of this.#pending) if (marked.has(change)) this.#apply(change, luck)
    this.#pending = this.#pending.filter((change) => !marked.has(change))
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  #apply({ at, data }: Change, luck: Luck): void {
    if (data === undefined) {
      if (luck()) this.#resize(at)
      return
    }
    for (let from = 0; from < data.length;) {
      const to = Math.min(data.length, from + PAGE_BYTES - ((at + from) % PAGE_BYTES))
      if (luck()) {
        if (at + to > this.#length) this.#resize(at + to)
        data.copy(this.#bytes, at + from, from, to)
      }
      from = to
    }
  }

  #resize(length: number): void {
    if (length < this.#length) this.#bytes.fill(0, length, this.#length)
    if (length > this.#bytes.length) this.#bytes = Buffer.concat([this.bytes], Math.max(length, 2 * this.#length))
    this.#length = length
  }
}

type Names = Map<string, Node>
type Node = FileNode | FolderNode
/** A name comes, goes, or stands for another file. */
type Renaming = (names: Names) => void

class FolderNode {
  /** As a program sees it. */
  readonly names: Names
  /** As it is on the disk. */
  readonly #durable: Names
  #pending: Renaming[] = []

  constructor(names: Names = new Map()) {
    this.names = names
    this.#durable = new Map(names)
  }

  change(change: Renaming): void {
    change(this.names)
    this.#pending.push(change)
  }

  mark(): ReadonlySet<Renaming> {
    return new Set(this.#pending)
  }

  sync(marked: ReadonlySet<Renaming>): void {
    for (const change of this.#pending) if (marked.has(change)) change(this.#durable)
    this.#pending = this.#pending.filter((change) => !marked.has(change))
  }

  /** A journal writes changes of a folder in their order: some of the first ones have come through. */
  afterPowerCut(luck: Luck): Names {
    for (const change of this.#pending) {
      if (!luck()) break
      change(this.#durable)
    }
    return this.#durable
  }
}

/** What a sync was asked for, when it began; done when it ends. */
type Sync = (failed: Luck | undefined) => void

export class Disk {
  readonly #path: string
  readonly #root: FolderNode
  readonly #open = new Map<string, Node>()
  readonly #syncs = new Map<string, Sync>()

  /** The folder as it is now, all of it safe: nobody may be writing there. */
  constructor(path: string) {
    this.#path = path
    this.#root = readFolder(path)
  }

  /** Follows a record that was begun when the disk was read. `luck` for what a failed sync may have written. */
  replay(log: Buffer, luck: Luck): void {
    for (const record of readRecords(log)) this.#follow(record, luck)
  }

  /** Makes the folder what a power cut at the end of the record would have left. */
  cutPower(luck: Luck): void {
    for (const name of readdirSync(this.#path)) rmSync(join(this.#path, name), { recursive: true })
    writeFolder(this.#path, this.#root, luck)
  }

  #follow({ what, pid, fd, at, data }: DiskRecord, luck: Luck): void {
    const handle = `${pid} ${fd}`
    const open = this.#open.get(handle)
    switch (what) {
      case 'open':
        this.#open.set(handle, this.#opened(data.toString(), at))
        return
      case 'close':
        this.#open.delete(handle)
        return
      case 'write':
      case 'truncate':
        if (open instanceof FileNode) open.change(what === 'write' ? { at, data } : { at })
        return
      case 'sync-begin':
        if (open !== undefined) this.#syncs.set(`${pid} ${at}`, syncOf(open))
        return
      case 'sync-end':
      case 'sync-failed':
        this.#syncs.get(`${pid} ${at}`)?.(what === 'sync-end' ? undefined : luck)
        this.#syncs.delete(`${pid} ${at}`)
        return
      case 'unlink':
      case 'rmdir':
        this.#at(data.toString(), (folder, name) => folder.change((names) => names.delete(name)))
        return
      case 'mkdir': {
        const made = new FolderNode()
        this.#at(data.toString(), (folder, name) => folder.change((names) => names.set(name, made)))
        return
      }
      case 'rename':
      case 'nothing':
        throw new Error(`${what} of ${data.toString()} is not followed yet`)
    }
  }

  #opened(path: string, flags: number): Node {
    if (path === this.#path) return this.#root
    return this.#at(path, (folder, name) => {
      const known = folder.names.get(name)
      if (known instanceof FileNode && (flags & O_TRUNC) !== 0) known.change({ at: 0 })
      if (known !== undefined) return known
      const made = new FileNode(Buffer.alloc(0), 0o600)
      folder.change((names) => names.set(name, made))
      return made
    })
  }

  #at<T>(path: string, act: (folder: FolderNode, name: string) => T): T {
    const steps = path.slice(this.#path.length + 1).split('/')
    const name = steps.pop() ?? ''
    let folder = this.#root
    for (const step of steps) {
      const next = folder.names.get(step)
      if (!(next instanceof FolderNode)) throw new Error(`the record speaks of ${path}, whose folder it has not seen`)
      folder = next
    }
    return act(folder, name)
  }
}

function syncOf(node: Node): Sync {
  if (node instanceof FileNode) {
    const marked = node.mark()
    return (failed) => node.sync(marked, failed)
  }
  const marked = node.mark()
  return (failed) => {
    if (failed === undefined) node.sync(marked)
  }
}

/** SQLite makes it anew from the WAL, and maps it instead of writing it. */
const isShared = (name: string): boolean => name.endsWith('-shm')

function readFolder(path: string): FolderNode {
  const names: Names = new Map()
  for (const name of readdirSync(path)) {
    const child = join(path, name)
    const found = statSync(child)
    if (found.isDirectory()) names.set(name, readFolder(child))
    else if (!isShared(name)) names.set(name, new FileNode(readFileSync(child), found.mode & 0o777))
  }
  return new FolderNode(names)
}

function writeFolder(path: string, folder: FolderNode, luck: Luck): void {
  if (!existsSync(path)) mkdirSync(path, { mode: 0o700 })
  for (const [name, node] of folder.afterPowerCut(luck)) {
    const child = join(path, name)
    if (node instanceof FolderNode) writeFolder(child, node, luck)
    else if (!isShared(name)) {
      node.sync(node.mark(), luck)
      writeFileSync(child, node.bytes)
      chmodSync(child, node.mode)
    }
  }
}
