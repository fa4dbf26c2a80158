/** Networks that swallow everything without a word, at each stage: connections that are half open, as after a power cut at the peer. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Order, Stage } from './far-peer.ts'
import { type Became, Field } from './field.ts'

const FAR_PEER = fileURLToPath(new URL('far-peer.ts', import.meta.url))
/** TEST-NET-3 (RFC 5737). */
const OUR_ADDRESS = '203.0.113.1'
const PEER_ADDRESS = '203.0.113.2'

const STAGES: readonly [why: string, stage: Stage, first: Became['event'], says: RegExp][] = [
  ['nothing is wrong', 'never', 'delivered', /^250/],
  ['a session that waits for more mail, and the peer is gone', 'now', 'deferred', /^451 4\.4\.2 /],
  ['no connection', 'now', 'deferred', /^451 4\.4\.1 .*: timeout$/],
  ['gone at MAIL', 'MAIL', 'deferred', /^451 4\.4\.2/],
  ['gone at RCPT', 'RCPT', 'deferred', /^451 4\.4\.2/],
  ['gone after the end of the data', 'end', 'deferred', /^451 4\.4\.2/],
]

test('the network swallows everything, at each stage: nothing is lost', canMakeNetworks(), async (t) => {
  await using far = await FarPeer.start()
  const known = STAGES.map((_, index) => `suzuki@far${index}.example`)
  const hop = `${PEER_ADDRESS}:${far.port}`
  const routes = Object.fromEntries(known.map((to) => [to.slice(to.indexOf('@') + 1), hop]))
  await using field = await Field.make({ config: { relay: { routes } }, known })
  for (const [index, [why, stage, first, says]] of STAGES.entries())
    await t.test(`${why}: ${first}`, async () => {
      await far.ask({ vanishAt: stage })
      const { event, reply } = await field.became(await field.send(known[index] as string))
      assert.equal(event, first, reply)
      assert.match(reply, says)
    })
  await far.ask({ vanishAt: 'never' })
  await field.restart()
  const taken = async (): Promise<readonly string[]> => (await far.ask('taken')) as string[]
  await field.settle(taken, new Set(['suzuki@far5.example']))
})

class FarPeer implements AsyncDisposable {
  readonly port: number
  readonly #namespace: string
  readonly #child: ChildProcess

  private constructor(namespace: string, child: ChildProcess, port: number) {
    this.#namespace = namespace
    this.#child = child
    this.port = port
  }

  static async start(): Promise<FarPeer> {
    const namespace = makeNamespace()
    const command = ['netns', 'exec', namespace, process.execPath, FAR_PEER, PEER_ADDRESS, OUR_ADDRESS]
    const child = spawn('ip', command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const [{ port }] = (await once(child, 'message')) as [{ port: number }]
    return new FarPeer(namespace, child, port)
  }

  async ask(order: Order): Promise<unknown> {
    const answered = once(this.#child, 'message')
    this.#child.send(order)
    return (await answered)[0]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    execFileSync('ip', ['netns', 'delete', this.#namespace])
  }
}

/** With one cable to here; it goes with the namespace. */
function makeNamespace(): string {
  const id = randomBytes(3).toString('hex')
  const [namespace, near, far] = [`faults${id}`, `near${id}`, `far${id}`]
  const ip = (line: string): unknown => execFileSync('ip', line.split(' '), { stdio: 'pipe' })
  ip(`netns add ${namespace}`)
  ip(`link add ${near} type veth peer name ${far} netns ${namespace}`)
  ip(`addr add ${OUR_ADDRESS}/30 dev ${near}`)
  ip(`link set ${near} up`)
  ip(`-n ${namespace} addr add ${PEER_ADDRESS}/30 dev ${far}`)
  ip(`-n ${namespace} link set ${far} up`)
  return namespace
}

/** Options of a test. Containers often may not, in CI too. */
function canMakeNetworks(): { skip: string | false } {
  if (process.getuid?.() !== 0) return { skip: 'only root may make network namespaces' }
  const name = `faults${randomBytes(3).toString('hex')}`
  const made = spawnSync('ip', ['netns', 'add', name]).status === 0
  if (made) spawnSync('ip', ['netns', 'delete', name])
  return { skip: made ? false : 'this machine lets nobody make network namespaces (apt install iproute2)' }
}
