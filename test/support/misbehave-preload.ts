/**
 * Loaded before anything else into a server under test (NODE_OPTIONS=--import …), its worker threads included: a job
 * whose bytes hold one of these words does to its thread what a bug in a parser could do.
 */
import { parentPort, isMainThread } from 'node:worker_threads'

const DEEDS: Readonly<Record<string, () => void>> = {
  'MISBEHAVE-HANG': () => {
    for (;;);
  },
  'MISBEHAVE-EXIT': () => process.exit(7),
  'MISBEHAVE-THROW': () => {
    throw new RangeError('out of its mind')
  },
  'MISBEHAVE-HEAP': () => {
    const kept: unknown[] = []
    for (;;) kept.push(Array.from({ length: 1_000_000 }, () => kept.length)) // large ones: the heap is full before the time is over
  },
}

interface Posted {
  readonly chunk?: Uint8Array
  readonly job?: { readonly raw?: Uint8Array; readonly body?: Uint8Array }
}

if (!isMainThread && parentPort !== null) {
  const port = parentPort
  const on = port.on.bind(port) as (name: string, listener: (message: unknown) => void) => typeof port
  port.on = ((name: string, listener: (message: unknown) => void) =>
    on(
      name,
      name === 'message'
        ? (message) => {
            misbehave(message as Posted)
            listener(message)
          }
        : listener,
    )) as typeof port.on
}

function misbehave({ chunk, job }: Posted): void {
  const bytes = chunk ?? job?.raw ?? job?.body
  if (bytes === undefined) return
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (const [word, deed] of Object.entries(DEEDS)) if (text.includes(word)) deed()
}
