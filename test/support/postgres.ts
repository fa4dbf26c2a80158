/** Debian's PostgreSQL as a server of its own: data in a temporary folder, on a free port of 127.0.0.1, gone with the test. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, readdirSync } from 'node:fs'
import { appendFile, chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { needs } from './apt.ts'
import { freePort } from './free-port.ts'
import { HERE, LAN_NETWORK } from './lan.ts'

const DEBIAN_FOLDER = '/usr/lib/postgresql'
const START_TIMEOUT_MS = 60_000
/** PostgreSQL refuses to run as root. */
const SERVER_USER = 'postgres'

export interface PostgresServer extends AsyncDisposable {
  /** Of the database that every server has. */
  readonly url: string
  /** Of the process that all others of the server belong to; 0 while it does not run. */
  readonly pid: number
  /** The URL of a new and empty database, or of a copy of the one with the URL `of`, which nobody may be using. */
  newDatabase(of?: string): Promise<string>
  /** `sql` as administrator, in the database with this URL. */
  query(url: string, sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  start(): Promise<void>
  /** SIGKILL, to the postmaster and so to all of its children. */
  kill(): Promise<void>
}

export function needsPostgres(): { skip: string | false } {
  return binFolder() === undefined ? needs('postgres', 'postgresql') : { skip: false }
}

/** Without fsync unless it shall be `durable`: what a killed process has written stays in the memory of the machine. */
export async function startPostgres({ durable = false, place = HERE } = {}): Promise<PostgresServer> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-postgres-'))
  const owner = await ownerOf(dir)
  const data = join(dir, 'data')
  const bin = binFolder() ?? ''
  await promisify(execFile)(
    join(bin, 'initdb'),
    ['-D', data, '-U', SERVER_USER, '-A', 'trust', '-E', 'UTF8', '--no-sync'],
    {
      ...owner,
      cwd: dir,
    },
  )
  await appendFile(join(data, 'pg_hba.conf'), `host all all ${LAN_NETWORK} trust\n`)
  const command = [...place.within, ...asUser(owner), join(bin, 'postgres')]
  const server = new Server(dir, command, data, place.host, await freePort(), durable)
  await server.start()
  return server
}

class Server implements PostgresServer {
  readonly #dir: string
  readonly #command: readonly string[]
  readonly #base: string
  readonly url: string
  #process: ChildProcess | undefined
  #said = ''

  constructor(dir: string, command: readonly string[], data: string, host: string, port: number, durable: boolean) {
    const settings = [
      `port=${port}`,
      `listen_addresses=${host}`,
      `unix_socket_directories=${dir}`,
      'max_connections=200',
      `fsync=${durable ? 'on' : 'off'}`,
    ]
    this.#dir = dir
    this.#command = [...command, '-D', data, ...settings.flatMap((one) => ['-c', one])]
    this.#base = `postgres://${SERVER_USER}@${host}:${port}`
    this.url = `${this.#base}/postgres`
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  async start(): Promise<void> {
    const giveUpMs = performance.now() + START_TIMEOUT_MS
    for (;;) {
      try {
        await this.query(this.url, 'SELECT 1')
        return
      } catch (error) {
        if (performance.now() > giveUpMs) throw new Error(`PostgreSQL does not start: ${this.#said}`, { cause: error })
      }
      // it ends at once while children of one that was killed are still about to end
      if (this.#process === undefined || this.#process.exitCode !== null) this.#spawn()
      await sleep(30)
    }
  }

  #spawn(): void {
    const [program = '', ...parameters] = this.#command
    const child = spawn(program, parameters, { cwd: this.#dir, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.#said = (this.#said + chunk.toString()).slice(-10_000)))
  }

  async newDatabase(of?: string): Promise<string> {
    const name = `test_${randomBytes(6).toString('hex')}`
    const template = of === undefined ? 'template0' : new URL(of).pathname.slice(1)
    await this.query(this.url, `CREATE DATABASE ${name} TEMPLATE ${template}`)
    return `${this.#base}/${name}`
  }

  async query(url: string, sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: url })
    client.on('error', () => undefined)
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(sql, values)).rows
    } finally {
      await client.end()
    }
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGQUIT') // at once: what it holds is thrown away
    await rm(this.#dir, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await exited
  }
}

/** The newest version that is installed. */
function binFolder(): string | undefined {
  try {
    const [newest] = readdirSync(DEBIAN_FOLDER).toSorted((a, b) => Number(b) - Number(a))
    return newest === undefined ? undefined : join(DEBIAN_FOLDER, newest, 'bin')
  } catch {
    return undefined
  }
}

type Owner = Readonly<Partial<Record<'uid' | 'gid', number>>>

/** The command in front of a program that is to run as `owner`, wherever root starts it. */
function asUser({ uid, gid }: Owner): string[] {
  return uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups']
}

async function ownerOf(dir: string): Promise<Owner> {
  if (process.getuid?.() !== 0) return {}
  const id = async (flag: string): Promise<number> =>
    Number((await promisify(execFile)('id', [flag, SERVER_USER])).stdout.trim())
  const owner = { uid: await id('-u'), gid: await id('-g') }
  chownSync(dir, owner.uid, owner.gid)
  await chmod(dir, 0o700)
  return owner
}
