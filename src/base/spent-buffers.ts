/**
 * Buffers lie outside of the JavaScript heap, and V8 lets some 64 MB of those that nobody uses any more gather in each thread
 * before it looks for them. Whoever passes on gigabytes in small buffers has them looked for earlier, which costs a
 * millisecond each time, and less than it saves: the memory that is used again is still in the processor's cache.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** So many bytes may have passed before spent buffers are looked for; by then some four times as much lies in them. */
const COLLECT_EVERY_BYTES = 2 ** 20

let passedBytes = 0
let collect: ((options: { readonly type: 'minor' }) => void) | undefined

/** So many bytes more have gone through this thread in buffers that are not kept. */
export function buffersPassed(lengthBytes: number): void {
  passedBytes += lengthBytes
  if (passedBytes < COLLECT_EVERY_BYTES) return
  passedBytes = 0
  collect ??= exposedGc()
  collect({ type: 'minor' })
}

/** node:v8 has no such function, but a context that is made after the flag was set has it. */
function exposedGc(): NonNullable<typeof collect> {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as NonNullable<typeof collect>
}
