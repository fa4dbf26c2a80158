/** The thread of command-thread.ts: runs command lines one after the other, each with standard streams of its own. */
import { Readable, Writable } from 'node:stream'
import { parentPort } from 'node:worker_threads'
import { run } from '../../src/cli/run.ts'
import type { CommandEnd, CommandLine } from './command-thread.ts'

let last = Promise.resolve()
parentPort?.on('message', (line: CommandLine) => {
  last = last.then(async () => parentPort?.postMessage(await runOne(line)))
})

async function runOne({ args, input }: CommandLine): Promise<CommandEnd> {
  const streams = { stdin: Readable.from([Buffer.from(input)]), stdout: new Collector(), stderr: new Collector() }
  for (const [name, value] of Object.entries(streams))
    Object.defineProperty(process, name, { value, configurable: true })
  process.exitCode = 0
  await run([process.execPath, 'sealpost', ...args])
  const code = process.exitCode
  process.exitCode = 0 // that of the thread itself
  return { code, stdout: streams.stdout.text, stderr: streams.stderr.text }
}

class Collector extends Writable {
  readonly #chunks: Buffer[] = []

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8')
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk)
    done()
  }
}
