/** Where sealed messages lie that are too large for a column of their row: each written once, under a name of its own. */

export interface LargeObjects {
  /** `name`: of a copy, the name that it has; else a new one. */
  create(name?: string): Promise<NewObject>
  /** For reading from its beginning. Throws BytesMissing. */
  open(name: string): Promise<ObjectReader>
  /** Objects that no row speaks of any more. One that cannot be removed now is left to `sweep`; does not reject. */
  remove(names: readonly string[]): Promise<void>
  /** Removes objects that are older than `beforeMs` and that no row speaks of; how many. */
  sweep(beforeMs: number): Promise<number>
  /** A file of this machine that holds the object, until `releaseFile`. */
  fileOf(name: string): Promise<string>
  releaseFile(path: string): Promise<void>
}

export interface NewObject {
  readonly name: string
  /** All of `pieces`, one after the other. */
  write(pieces: readonly Uint8Array[]): Promise<void>
  /** When it resolves the object is durable, its name included. */
  finish(): Promise<void>
  /** Leaves nothing behind. */
  abort(): Promise<void>
}

export interface ObjectReader extends AsyncDisposable {
  /** Fills the buffer with the next bytes. Throws BytesDamaged when there are not so many. */
  fill(buffer: Uint8Array): Promise<Uint8Array>
}
