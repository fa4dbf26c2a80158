/** Starts a whole provider for tests and the demo: `sealpost init`, its configuration, `sealpost serve`, all real. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { type CommandEnd, runInThread } from './command-thread.ts'
import { freePorts } from './free-port.ts'
import { HERE, type Place } from './lan.ts'

export const SEALPOST = fileURLToPath(new URL('../../bin/sealpost', import.meta.url))

const LISTENERS = ['mx', 'submission', 'submissions', 'pop3', 'pop3s', 'http'] as const
export type ListenerName = (typeof LISTENERS)[number]
export type Event = Readonly<Record<string, unknown>> & { readonly event: string }

export interface ProviderOptions {
  readonly domains: readonly string[]
  /** Merged over what `init` wrote; objects are merged, everything else is replaced. */
  readonly config?: Record<string, unknown>
  /** More arguments for node, e.g. a preload. */
  readonly env?: Record<string, string>
  /** A PostgreSQL database, in place of SQLite. */
  readonly store?: string
  /** Another version of `bin/sealpost`. */
  readonly program?: string
  /** Where the server runs; its commands run here. */
  readonly place?: Place
}

export interface Provider extends AsyncDisposable {
  readonly dir: string
  readonly configFile: string
  /** Ports are chosen before the start, so that they outlive a restart. */
  readonly ports: Readonly<Record<ListenerName, number>>
  /** What the server has logged, one object a line. */
  readonly log: Event[]
  readonly process: ChildProcess | undefined
  /** The `bin/sealpost` that is run. */
  program: string
  /** Runs `sealpost … --json` in a thread of ours and returns its objects; throws with its words when it fails. */
  cli(args: readonly string[], input?: string): Promise<readonly Record<string, unknown>[]>
  /** Merges into the configuration; takes effect at the next start. */
  configure(config: Record<string, unknown>): Promise<void>
  /** Resolves when it says "ready"; the milliseconds it took. `args`: more for `serve`. */
  start(env?: Record<string, string>, args?: readonly string[]): Promise<number>
  /** Resolves with its exit code when it is dead and `log` has all that it said. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  /** The first event of that name, from the log so far or to come. */
  event(name: string, matches?: (event: Event) => boolean, timeoutMs?: number): Promise<Event>
}

export async function makeProvider(options: ProviderOptions): Promise<Provider> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-'))
  const home = join(dir, 'home')
  const store = options.store === undefined ? [] : ['--store', options.store]
  const init = ['init', '--dir', home, ...store, ...options.domains.flatMap((domain) => ['--domain', domain])]
  const program = options.program ?? SEALPOST
  await run(program, init)
  const provider = new ProviderProcess(dir, home, await freePorts(LISTENERS), options.env ?? {}, options.place)
  provider.program = program
  await provider.listen()
  // nobody on the Internet is asked for keys unless a test says so
  await provider.configure(merge({ lookup: { wkd: false } }, options.config ?? {}))
  return provider
}

/** One more node on the store of `first`, with what an operator copies to it. */
export async function makeNode(first: Provider, place?: Place): Promise<Provider> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-'))
  const home = join(dir, 'home')
  await mkdir(home)
  for (const file of ['sealpost.yaml', 'master.key', 'tls-certificate.pem', 'tls-key.pem'])
    await copyFile(join(first.configFile, '..', file), join(home, file))
  const node = new ProviderProcess(dir, home, await freePorts(LISTENERS), {}, place)
  node.program = first.program
  await node.listen()
  return node
}

/** As `runSealpost`; this version without a process of its own. */
async function run(program: string, args: readonly string[], input?: string): Promise<string> {
  if (program !== SEALPOST) return runSealpost(args, input, {}, program)
  const end = await runInThread(args, input)
  if (end.code === 0) return end.stdout
  throw new CommandFailed(args, end)
}

/** Runs a command as a process and returns what it wrote to stdout. */
export async function runSealpost(
  args: readonly string[],
  input?: string,
  env: Record<string, string> = {},
  program = SEALPOST,
): Promise<string> {
  const running = promisify(execFile)(program, [...args], { env: { ...process.env, ...env }, maxBuffer: 2 ** 28 })
  running.child.stdin?.end(input ?? '')
  try {
    return (await running).stdout
  } catch (error) {
    throw new CommandFailed(args, error as CommandEnd)
  }
}

class CommandFailed extends Error {
  readonly code: number
  readonly stdout: string
  readonly stderr: string

  constructor(args: readonly string[], { code, stdout, stderr }: CommandEnd) {
    super(`sealpost ${args.join(' ')} failed (${code}): ${stderr}${stdout}`)
    this.code = code
    this.stdout = stdout
    this.stderr = stderr
  }
}

/** A start takes a second; several at once on a busy machine take longer. */
const READY_MAX_MS = 90_000

/** Only what hangs takes so long. */
const EVENT_MAX_MS = 60_000

class ProviderProcess implements Provider {
  readonly dir: string
  readonly configFile: string
  readonly ports: Readonly<Record<ListenerName, number>>
  process: ChildProcess | undefined
  program = SEALPOST
  readonly #env: Record<string, string>
  readonly #place: Place
  readonly #watchers = new Set<(event: Event) => void>()
  readonly #log: Event[] = []
  /** Read when somebody looks: a load's clients shall not spend their time on what nobody asks for. */
  #unread: string[] = []
  #stderr = ''
  /** Its process is dead, and all that it said is read. */
  #ended = Promise.resolve()

  constructor(
    dir: string,
    home: string,
    ports: Record<ListenerName, number>,
    env: Record<string, string>,
    place: Place = HERE,
  ) {
    this.dir = dir
    this.configFile = join(home, 'sealpost.yaml')
    this.ports = ports
    this.#env = env
    this.#place = place
  }

  /** On ports of its own. */
  listen(): Promise<void> {
    const entries = Object.entries(this.ports).map(([name, port]) => [name, { host: this.#place.host, port }] as const)
    return this.configure({ listeners: Object.fromEntries(entries) })
  }

  async cli(args: readonly string[], input?: string): Promise<readonly Record<string, unknown>[]> {
    const output = await run(this.program, [...args, '--config', this.configFile, '--json'], input)
    return output
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  async configure(config: Record<string, unknown>): Promise<void> {
    const now = parse(await readFile(this.configFile, 'utf8')) as Record<string, unknown>
    // put in its place whole: a server that reads it just now sees the old one or the new one
    await writeFile(`${this.configFile}.new`, stringify(merge(now, config)))
    await rename(`${this.configFile}.new`, this.configFile)
  }

  async start(env: Record<string, string> = {}, args: readonly string[] = []): Promise<number> {
    const beganMs = performance.now()
    this.#read()
    this.#unread = [] // the line that a killed one has not ended
    const [program, ...before] = [...this.#place.within, this.program]
    const child = spawn(program, [...before, 'serve', '--config', this.configFile, ...args], {
      env: { ...process.env, ...this.#env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.process = child
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()))
    child.stderr.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()))
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.#said(text))
    const died = new Promise<never>((_resolve, reject) =>
      child.once('close', (code) => reject(new Error(`serve ended with ${code}: ${this.#stderr}`))),
    )
    died.catch(() => undefined)
    await Promise.race([this.event('ready', () => true, READY_MAX_MS, this.log.length), died])
    return performance.now() - beganMs
  }

  get log(): Event[] {
    this.#read()
    return this.#log
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.process
    this.process = undefined
    if (child === undefined) return null
    child.kill(signal)
    await this.#ended
    return child.exitCode
  }

  event(
    name: string,
    matches: (event: Event) => boolean = () => true,
    timeoutMs = EVENT_MAX_MS,
    from = 0,
  ): Promise<Event> {
    const wanted = (event: Event): boolean => event.event === name && matches(event)
    const known = this.log.slice(from).find(wanted)
    if (known !== undefined) return Promise.resolve(known)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(watch)
        reject(
          new Error(
            `no event "${name}" within ${timeoutMs} ms; the log ends with ${JSON.stringify(this.log.slice(-5))}`,
          ),
        )
      }, timeoutMs)
      const watch = (event: Event): void => {
        if (!wanted(event)) return
        clearTimeout(timer)
        this.#watchers.delete(watch)
        resolve(event)
      }
      this.#watchers.add(watch)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL')
    await rm(this.dir, { recursive: true, force: true })
  }

  #said(text: string): void {
    this.#unread.push(text)
    if (this.#watchers.size > 0) this.#read()
  }

  #read(): void {
    let rest = ''
    for (const text of this.#unread.splice(0)) {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line.startsWith('{')) this.#heard(JSON.parse(line) as Event)
    }
    this.#unread.push(rest)
  }

  #heard(event: Event): void {
    this.#log.push(event)
    for (const watch of this.#watchers) watch(event)
  }
}

function merge(a: Record<string, unknown>, b: Record<string, unknown>): Record<string, unknown> {
  const result = { ...a }
  for (const [key, value] of Object.entries(b)) {
    const before = result[key]
    result[key] = isObject(before) && isObject(value) ? merge(before, value) : value
  }
  return result
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
