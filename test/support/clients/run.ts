/** Runs mail programs of Debian as a user would have them: with a home folder of their own and nothing else. */
import { spawn } from 'node:child_process'

/** A client that hangs is ended after this; the machine may be busy. */
const CLIENT_TIMEOUT_MS = 60_000

export interface Outcome {
  /** `null` when it had to be ended. */
  readonly status: number | null
  readonly output: Buffer
  readonly complaints: string
}

/** `home` is the program's home and working folder; nothing of ours is in its environment but PATH. */
export async function run(
  home: string,
  command: string,
  args: readonly string[],
  options: { readonly input?: Uint8Array | string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Outcome> {
  const child = spawn(command, args, {
    cwd: home,
    env: { PATH: `${process.env['PATH']}:/usr/sbin`, HOME: home, TERM: 'xterm', LC_ALL: 'C.UTF-8', ...options.env },
    timeout: CLIENT_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  })
  const output: Buffer[] = []
  const complaints: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk))
  child.stdin.on('error', () => undefined) // a client may end without reading it
  child.stdin.end(options.input ?? '')
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  return { status, output: Buffer.concat(output), complaints: Buffer.concat(complaints).toString() }
}

/** `run` for a client that has to succeed; throws with its words when it does not. */
export async function runWell(...args: Parameters<typeof run>): Promise<Buffer> {
  const { status, output, complaints } = await run(...args)
  if (status === 0) return output
  const words = `${complaints}\n${output.toString().slice(-2000)}`
  throw new Error(`${args[1]} ${args[2].join(' ')} ended with ${status}: ${words}`)
}
