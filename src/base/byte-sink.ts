/**
 * Where bytes are pushed. Layers of protection are sinks that write into the next sink, so a message of any size passes
 * through in one sweep with bounded memory, and a small one in a single write (docs/decisions/0002-sinks.md).
 */
export interface ByteSink {
  /** Takes a chunk; the sink may keep a reference, the caller does not change it afterwards. */
  write(chunk: Uint8Array): void
  /** No more chunks. Writes what is left into the next sink and ends it. */
  end(): void
}

/** A sink that keeps everything: the far end for what fits into memory. */
export class Collector implements ByteSink {
  readonly chunks: Uint8Array[] = []
  lengthBytes = 0
  ended = false

  write(chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.lengthBytes += chunk.length
  }

  end(): void {
    this.ended = true
  }

  /** Hands over what has arrived since the last call, and forgets it. */
  take(): Uint8Array[] {
    return this.chunks.splice(0)
  }
}
