/**
 * Several nodes on one PostgreSQL behind a load balancer, each a machine of a local network, and everybody around them:
 * clients that send and fetch, the next hop, and the ledger. Needs a network of its own (`Lan`).
 */
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { startHaproxy } from '../support/haproxy.ts'
import { LAN_HOST, LAN_NETWORK, Lan, type Machine } from '../support/lan.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'
import { type Provider, makeNode, makeProvider } from '../support/provider.ts'
import { Authors, DOMAIN, FOREIGN_DOMAIN } from './authors.ts'
import { Ledger, type Mailbox, type Way } from './ledger.ts'
import { type LoadFigures, runLoad } from './load.ts'
import { startNextHop } from './next-hop.ts'
import { until } from './victim.ts'

/** What the load balancer listens on. */
const PORTS = { mx: 25, submission: 587, pop3s: 995 } as const
const CLIENTS = { out: 4, in: 4 }
/** The next hop thinks so long at most before it answers 250. */
const NEXT_HOP_PAUSE_MS = 40
/** A session through the load balancer on which nothing was said for so long is closed: longer than any answer takes, shorter than clients wait. */
const SILENCE = '20s'
const RETRIES_MAX = 10

/** One that serves, and where. */
export interface Node {
  readonly name: string
  readonly machine: Machine
  readonly provider: Provider
  /** Another one begins whenever others may have to do what it has begun. */
  life: string
}

export class Cluster implements AsyncDisposable {
  readonly nodes: readonly Node[]
  readonly ledger = new Ledger()
  readonly figures: LoadFigures = { latenciesMs: [], refusals: [] }
  readonly #database: PostgresServer
  readonly #url: string
  readonly #balancer: string
  readonly #authors: Authors
  #things = new AsyncDisposableStack()
  #ending = false
  #load: Promise<void> | undefined

  private constructor(
    nodes: readonly Node[],
    database: PostgresServer,
    url: string,
    balancer: string,
    authors: Authors,
  ) {
    this.nodes = nodes
    this.#database = database
    this.#url = url
    this.#balancer = balancer
    this.#authors = authors
  }

  /** All of it runs; mail does not flow yet. */
  static async make({ nodes: count, random }: { nodes: number; random: () => number }): Promise<Cluster> {
    await using made = new AsyncDisposableStack()
    const here: { cluster?: Cluster } = {}
    const hop = made.use(
      await startNextHop(
        () => random() * NEXT_HOP_PAUSE_MS,
        (taken) => here.cluster?.ledger.nextHopTook(taken),
        {
          host: LAN_HOST,
          lifeOf: (from) => here.cluster?.nodes.find(({ machine }) => machine.host === from)?.life ?? '',
        },
      ),
    )
    const lan = made.use(Lan.make())
    const database = made.use(await startPostgres({ place: await lan.join() }))
    const url = await database.newDatabase()
    const balancer = await lan.join()
    const machines = await Promise.all(Array.from({ length: count }, () => lan.join()))
    const providers: Provider[] = []
    const keys = { algorithm: 'ec-p256' }
    for (const place of machines) {
      const [first] = providers
      const config = {
        keys,
        protection: { threads: 1 },
        peers: [FOREIGN_DOMAIN],
        relay: { routes: { '*': `${LAN_HOST}:${hop.port}` } },
        authentication: { inbound: false },
        limits: { rateExemptNetworks: [LAN_NETWORK] },
        listeners: Object.fromEntries(
          Object.keys(PORTS).map((name) => [name, { proxyProtocol: [`${balancer.host}/32`] }]),
        ),
      }
      const provider =
        first === undefined
          ? await makeProvider({ domains: [DOMAIN], store: url, config, place })
          : await makeNode(first, place)
      providers.push(made.use(provider))
    }
    const authors = made.use(await Authors.make(providers[0] as Provider, keys, random))
    await Promise.all(providers.map((provider) => provider.start()))
    const nodes = providers.map((provider, index): Node => {
      const name = `node ${index + 1}`
      return { name, machine: machines[index] as Machine, provider, life: `${name}.1` }
    })
    made.use(await startHaproxy(balancing(balancer.host, nodes), PORTS.mx, balancer))
    const cluster = new Cluster(nodes, database, url, balancer.host, authors)
    cluster.#things = made.move()
    here.cluster = cluster
    return cluster
  }

  get #mailboxes(): Mailbox[] {
    return this.#authors.users.map((user) => ({ ...user, host: this.#balancer, port: PORTS.pop3s }))
  }

  /** Clients send and fetch through the load balancer until `finish`. */
  beginLoad(): void {
    const [user] = this.#mailboxes
    const deps = {
      host: this.#balancer,
      ports: PORTS,
      user: user as Mailbox,
      terminals: this.#mailboxes,
      ledger: this.ledger,
      whenUp: () => Promise.resolve(),
      nextMail: async (way: Way) => (this.#ending ? undefined : this.#authors.next(way, this.ledger)),
    }
    this.#load = runLoad(deps, CLIENTS, this.figures)
    this.#load.catch(() => undefined)
  }

  /** What they have on record by now must not be repeated; what these have not, somebody else may. */
  #lifeEnds(nodes: readonly Node[], how: string): void {
    for (const { provider } of this.nodes) this.ledger.serverSaid(provider.log.splice(0))
    const lives = nodes.map(({ life }) => life)
    this.ledger.ended(`(${how})`, lives)
    for (const node of nodes) node.life = `${node.name}.${Number(node.life.split('.')[1]) + 1}`
  }

  async killNode(node: Node): Promise<void> {
    const child = node.provider.process
    const closed = child === undefined ? undefined : once(child, 'close') // its last words are read
    await node.provider.stop('SIGKILL')
    await closed
    this.#lifeEnds([node], node.name)
  }

  async killDatabase(): Promise<void> {
    await this.#database.kill()
    this.#lifeEnds(this.nodes, 'PostgreSQL')
  }

  /** What a node has done until now it could not put on record. */
  async startDatabase(): Promise<void> {
    await this.#database.start()
    this.#lifeEnds(this.nodes, 'PostgreSQL was away')
  }

  /** The node runs on, and reaches nobody. */
  cutOff(node: Node): void {
    node.machine.pullCable()
    this.#lifeEnds([node], `${node.name} cut off`)
  }

  reconnect({ machine }: Node): void {
    machine.plugCable()
  }

  /** As a machine that stands still, and later goes on as if nothing had been. */
  freeze(node: Node): void {
    node.provider.process?.kill('SIGSTOP')
    this.#lifeEnds([node], `${node.name} stopped`)
  }

  thaw({ provider }: Node): void {
    for (const node of this.nodes) this.ledger.serverSaid(node.provider.log.splice(0))
    provider.process?.kill('SIGCONT')
  }

  /** Resolves when so many more mails were accepted by whoever is there. */
  async flows(mails: number): Promise<void> {
    const wanted = this.ledger.accepted + mails
    await until('mail flows', async () => this.ledger.accepted >= wanted)
  }

  /** What was leased by a node that is no more there. */
  async waiting(): Promise<number> {
    return this.#count('SELECT count(*) FROM queue')
  }

  async #count(sql: string): Promise<number> {
    const [row] = await this.#database.query(this.#url, sql)
    return Number(row?.['count'])
  }

  /** No more new mails; all that were offered are accepted, all that were accepted have come to their end. */
  async finish(): Promise<void> {
    this.#ending = true
    await this.#load
    const note = (error: unknown): void => this.ledger.note(`at the end: ${String(error)}`)
    await this.#settle().catch(note)
    for (const mailbox of this.#mailboxes) await this.ledger.collect(mailbox).catch(note)
  }

  /** Waits until the queue is empty; what was put off is tried at once. */
  async #settle(): Promise<void> {
    const [first] = this.nodes as [Node]
    for (let retries = 0; retries < RETRIES_MAX && (await this.waiting()) > 0; retries++) {
      await until('all of the queue was tried', async () => {
        return (await this.#count('SELECT count(*) FROM queue WHERE attempts = 0')) === 0
      })
      if ((await this.waiting()) > 0) await first.provider.cli(['queue', 'retry', '--all'])
      await wait(500)
    }
    await until('the queue is empty', async () => (await this.waiting()) === 0)
    for (const { provider } of this.nodes) this.ledger.serverSaid(provider.log.splice(0))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true
    for (const { provider } of this.nodes) provider.process?.kill('SIGCONT')
    await this.#things[Symbol.asyncDispose]()
  }
}

/** Sessions go to whatever node says that it is ready. */
function balancing(host: string, nodes: readonly Node[]): string {
  const sections = Object.entries(PORTS).map(([name, port]) => {
    const servers = nodes.map(({ machine, provider: { ports } }, index) => {
      return `  server node${index + 1} ${machine.host}:${ports[name as keyof typeof PORTS]} port ${ports.http}`
    })
    return [`listen ${name}`, `  bind ${host}:${port}`, '  option httpchk GET /readyz', ...servers].join('\n')
  })
  return `defaults
  mode tcp
  timeout connect 1s
  timeout check 1s
  timeout client ${SILENCE}
  timeout server ${SILENCE}
  option redispatch 1
  retries 3
  default-server send-proxy-v2 check inter 300ms fall 2 rise 1

${sections.join('\n\n')}
`
}
