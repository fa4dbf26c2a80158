/**
 * A server under load that may be killed, cut from power, or given a bad disk, and everybody around it: clients that send
 * and fetch, a foreign provider, the next hop, and the ledger.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type Provider, makeProvider } from '../support/provider.ts'
import { Authors, DOMAIN, FOREIGN_DOMAIN } from './authors.ts'
import { queueLength, scanFolder } from './data-folder.ts'
import { Disk, buildWitness } from './disk.ts'
import { DiskFaults } from './disk-faults.ts'
import type { CrashPlan } from './kill-preload.ts'
import { Ledger, type TestMail } from './ledger.ts'
import { type ClientMail, type LoadFigures, runLoad } from './load.ts'
import { type NextHop, startNextHop } from './next-hop.ts'
import { PRELOAD, until } from './victim.ts'

/** The next hop thinks so long at most before it answers 250. */
const NEXT_HOP_PAUSE_MS = 40

export interface WorldOptions {
  readonly random: () => number
  /** Whether the server's disk is watched; else nothing can be done to it. */
  readonly witness: boolean
  readonly clients?: Readonly<Record<TestMail['way'], number>>
  readonly config?: Record<string, unknown>
  readonly env?: Record<string, string>
}

export class World implements AsyncDisposable {
  readonly provider: Provider
  readonly ledger = new Ledger()
  readonly figures: LoadFigures = { latenciesMs: [], refusals: [] }
  /** How often the server was started. */
  life = 0
  /** Of it only with a witness. */
  faults: DiskFaults | undefined
  readonly #options: WorldOptions
  #things = new AsyncDisposableStack()
  readonly #authors: Authors
  readonly #planFile: string
  readonly #up = new Gate()
  #ending = false
  #load: Promise<void> | undefined
  #disk: Disk | undefined
  #words = ''
  #closed: Promise<unknown> = Promise.resolve()

  private constructor(options: WorldOptions, provider: Provider, authors: Authors) {
    this.#options = options
    this.provider = provider
    this.#authors = authors
    this.#planFile = join(provider.dir, 'plan.json')
  }

  static async make(options: WorldOptions): Promise<World> {
    await using made = new AsyncDisposableStack()
    const here: { world?: World } = {}
    const hop: NextHop = made.use(
      await startNextHop(
        () => options.random() * NEXT_HOP_PAUSE_MS,
        (taken) => here.world?.ledger.nextHopTook(taken),
        { lifeOf: () => String(here.world?.life) },
      ),
    )
    const keys = { algorithm: 'ec-p256' }
    const routes = { [FOREIGN_DOMAIN]: `127.0.0.1:${hop.port}` }
    const config = { keys, protection: { threads: 1 }, peers: [FOREIGN_DOMAIN], relay: { routes }, ...options.config }
    const env = { NODE_OPTIONS: `--import=${PRELOAD}`, ...options.env }
    const provider = made.use(await makeProvider({ domains: [DOMAIN], config, env }))
    const authors = made.use(await Authors.make(provider, keys, options.random))
    const world = new World(options, provider, authors)
    if (options.witness) world.faults = await DiskFaults.make(join(provider.dir, 'control'))
    world.#things = made.move()
    here.world = world
    return world
  }

  /** The folder of database and messages. */
  get home(): string {
    return dirname(this.provider.configFile)
  }

  /** `plan`: in force from the first moment. Resolves when it is ready, false when it died before. */
  async start(plan?: CrashPlan): Promise<boolean> {
    this.life += 1
    this.#words = ''
    if (plan !== undefined) await this.#writePlan(plan)
    const started = this.provider.start({
      CRASH_PLAN: this.#planFile,
      ...(plan !== undefined && { CRASH_NOW: '1' }),
      ...(await this.#watchDisk()),
    })
    const child = this.provider.process
    this.#closed = child === undefined ? Promise.resolve() : once(child, 'close')
    child?.stderr?.on('data', (chunk: Buffer) => (this.#words += chunk.toString()))
    const ready = await started.then(
      () => true,
      (error: unknown) => {
        if (this.provider.process?.signalCode === 'SIGKILL') return false
        throw error
      },
    )
    if (ready) this.#up.open()
    return ready
  }

  /** Begins a new record of what is done to the disk. */
  async #watchDisk(): Promise<Record<string, string>> {
    if (this.faults === undefined) return {}
    const { dir } = this.provider
    await rm(join(dir, 'disk.log'), { force: true })
    this.#disk = new Disk(this.home)
    return {
      LD_PRELOAD: (witness ??= buildWitness(dir)),
      DISK_ROOT: this.home,
      DISK_LOG: join(dir, 'disk.log'),
      DISK_CONTROL: this.faults.file,
    }
  }

  async arm(plan: CrashPlan): Promise<void> {
    await this.#writePlan(plan)
    this.provider.process?.kill('SIGUSR2')
    await until(
      'armed',
      async () =>
        !this.alive ||
        readFile(`${this.#planFile}.armed`).then(
          () => true,
          () => false,
        ),
    )
  }

  async #writePlan(plan: CrashPlan): Promise<void> {
    await rm(`${this.#planFile}.armed`, { force: true })
    await writeFile(this.#planFile, JSON.stringify(plan))
  }

  get alive(): boolean {
    const child = this.provider.process
    return child !== undefined && child.exitCode === null && child.signalCode === null
  }

  /** Resolves when the server is dead, after `ms` at the latest. */
  async died(ms: number): Promise<boolean> {
    const child = this.provider.process
    if (child !== undefined && this.alive)
      await Promise.race([once(child, 'exit'), wait(ms, undefined, { ref: false })])
    return !this.alive
  }

  /** SIGKILL, if it lives yet; then what was not synced is thrown away, as far as `luck` has it. */
  async kill(where: string, luck?: () => boolean): Promise<void> {
    this.#up.shut()
    const child = this.provider.process
    assert(child !== undefined)
    if (this.alive) child.kill('SIGKILL')
    await this.#closed // its last words are read
    if (child.signalCode !== 'SIGKILL')
      throw new Error(
        `the server ended by itself: ${child.exitCode} ${child.signalCode} ${JSON.stringify(this.provider.log.at(-1))} ${this.#words}`,
      )
    this.noteSettled()
    this.ledger.ended(`in life ${this.life} ${where}`, [String(this.life)])
    if (luck !== undefined) await this.#cutPower(luck)
    assert.deepEqual(await scanFolder(this.home), [], `in clear on the disk, killed ${where}`)
  }

  async #cutPower(luck: () => boolean): Promise<void> {
    assert(this.#disk !== undefined, 'a power cut needs a witness')
    this.#disk.replay(await readFile(join(this.provider.dir, 'disk.log')), luck)
    this.#disk.cutPower(luck)
  }

  /** From now on a delivery that the server has on record must not be repeated. */
  noteSettled(): void {
    this.ledger.serverSaid(this.provider.log.splice(0))
  }

  /** Clients send and fetch until `finish`. */
  beginLoad(): void {
    const { users } = this.#authors
    const deps = {
      ports: this.provider.ports,
      user: users[0],
      terminals: users,
      ledger: this.ledger,
      whenUp: () => this.#up.passed,
      nextMail: (way: TestMail['way']) => this.#nextMail(way),
    }
    this.#load = runLoad(deps, this.#options.clients ?? { out: 4, in: 4 }, this.figures)
    this.#load.catch(() => undefined)
  }

  /** No more new mails; all that were offered are accepted, all that were accepted have come to their end. */
  async finish(): Promise<void> {
    this.#ending = true
    if (!this.alive) await this.start()
    await this.#load
    const note = (error: unknown): void => this.ledger.note(`at the end: ${String(error)}`)
    await this.settle().catch(note)
    for (const mailbox of this.#authors.users) await this.ledger.collect(mailbox).catch(note)
  }

  /** Waits until the queue is empty; what was put off is tried at once. */
  async settle(): Promise<void> {
    await until('all of the queue was tried', async () => (await queueLength(this.provider, 'never put off')) === 0)
    if ((await queueLength(this.provider)) > 0) await this.provider.cli(['queue', 'retry', '--all'])
    await until('the queue is empty', async () => (await queueLength(this.provider)) === 0)
    this.noteSettled()
  }

  async #nextMail(way: TestMail['way']): Promise<ClientMail | undefined> {
    return this.#ending ? undefined : this.#authors.next(way, this.ledger)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true
    await this.#things[Symbol.asyncDispose]()
  }
}

/** Those who wait for it are let through as soon as it is open, however often it is shut again before. */
class Gate {
  #opening = Promise.withResolvers<void>()
  #isOpen = false

  get passed(): Promise<void> {
    return this.#opening.promise
  }

  open(): void {
    this.#isOpen = true
    this.#opening.resolve()
  }

  shut(): void {
    if (this.#isOpen) this.#opening = Promise.withResolvers()
    this.#isOpen = false
  }
}

let witness: string | undefined
