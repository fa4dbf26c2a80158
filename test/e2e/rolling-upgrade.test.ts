/** Two nodes on one PostgreSQL become a newer version, one after the other, while mail flows: docs/operating/upgrade.md. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { SCHEMA_VERSION } from '../../src/store/migrations/list.ts'
import { startNextHop } from '../crash/next-hop.ts'
import { formerVersion, needsHistory } from '../support/former-version.ts'
import { fetchAll } from '../support/pop3-client.ts'
import { needsPostgres, startPostgres } from '../support/postgres.ts'
import { type Provider, SEALPOST, makeNode, makeProvider, runSealpost } from '../support/provider.ts'
import { submit } from '../support/smtp-client.ts'

const ANN = 'ann@abc.com'
const BOB = 'bob@abc.com'
const CLIENTS = 4
const PATIENCE_MS = 60_000
/** Mails that are accepted before anything else is done. */
const BETWEEN = 4 * CLIENTS
const skip = [needsPostgres(), needsHistory()].find((each) => each.skip !== false)?.skip ?? false

test('nodes are upgraded one by one under load: nothing is lost, nothing comes twice', { skip }, async () => {
  await using former = formerVersion()
  await using server = await startPostgres()
  const arrived: string[] = []
  await using hop = await startNextHop(
    () => 5,
    ({ recipient }) => arrived.push(recipient),
  )
  await using first = await makeProvider({
    program: former.program,
    domains: ['abc.com'],
    store: await server.newDatabase(),
    config: { relay: { routes: { '*': `127.0.0.1:${hop.port}` } } },
  })
  const passwords = await Promise.all([ANN, BOB].map((address) => passwordOfNew(first, address)))
  await using second = await makeNode(first)
  const nodes = [first, second]
  for (const node of nodes) await node.start()
  await using load = new Load(nodes, passwords[0] ?? '')

  await load.accepts(BETWEEN)
  const [line] = (await runSealpost(['migrate', '--config', first.configFile, '--json'])).split('\n')
  assert.deepEqual(JSON.parse(line ?? ''), { from: SCHEMA_VERSION - 1, to: SCHEMA_VERSION })
  await load.accepts(BETWEEN) // the former program goes on
  for (const node of nodes) {
    assert.equal(await node.stop(), 0)
    await load.accepts(BETWEEN)
    node.program = SEALPOST
    await node.start()
    await load.accepts(BETWEEN)
  }
  await load.end()

  const away = load.accepted.filter((to) => to !== BOB)
  await until('all has arrived', () => arrived.length >= away.length)
  assert.deepEqual(arrived.toSorted(), away.toSorted())
  let fetched = 0
  for (const endMs = Date.now() + PATIENCE_MS; Date.now() < endMs && fetched < load.accepted.length - away.length;)
    fetched += (await fetchAll(second.ports.pop3s, BOB, passwords[1] ?? '', { remove: true })).length
  assert.equal(fetched, load.accepted.length - away.length)
})

async function passwordOfNew(provider: Provider, address: string): Promise<string> {
  const [user] = await provider.cli(['user', 'add', address])
  return String(user?.['password'])
}

/** Clients that write to strangers and to Bob, by whatever node takes it. */
class Load implements AsyncDisposable {
  /** The recipient of each mail. */
  readonly accepted: string[] = []
  readonly #nodes: readonly Provider[]
  readonly #password: string
  readonly #clients: Promise<unknown>
  #isOver = false

  constructor(nodes: readonly Provider[], password: string) {
    this.#nodes = nodes
    this.#password = password
    this.#clients = Promise.all(Array.from({ length: CLIENTS }, (_, name) => this.#client(name)))
  }

  async #client(name: number): Promise<void> {
    for (let at = 0; !this.#isOver; at++) {
      const to = at % 3 === 0 ? BOB : `mail-${name}-${at}@out.example`
      for (let attempt = 0; !(await this.#isAccepted(to, at + attempt)); attempt++) await wait(50)
      this.accepted.push(to)
    }
  }

  /** A node that stops says 421 or takes no connection; what it had accepted it has answered. */
  async #isAccepted(to: string, turn: number): Promise<boolean> {
    const { ports } = this.#nodes[turn % this.#nodes.length] as Provider
    const message = `From: ${ANN}\r\nTo: ${to}\r\nSubject: upgrade\r\nContent-Type: text/plain\r\n\r\nhello\r\n`
    const mail = { port: ports.submission, user: ANN, password: this.#password, to: [to], message }
    const { reply } = await submit(mail).catch((error: unknown) => ({ reply: `451 ${String(error)}` }))
    assert.match(reply, /^[24]/)
    return reply.startsWith('250')
  }

  async accepts(more: number): Promise<void> {
    const wanted = this.accepted.length + more
    await until('mail flows', () => this.accepted.length >= wanted)
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#clients
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end()
  }
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const endMs = performance.now() + PATIENCE_MS; !isSo(); await wait(20))
    if (performance.now() > endMs) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`)
}
