/**
 * Machines of a local network, each a network namespace of its own, on a bridge that stands in the namespace of this process.
 * That must be one that nobody else uses: `unshare --net`. Everything goes when the processes do.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'

/** Where a server runs. */
export interface Place {
  /** The address that it listens on. */
  readonly host: string
  /** The command that starts a program there; empty for here. */
  readonly within: readonly string[]
}

export const HERE: Place = { host: '127.0.0.1', within: [] }

export interface Machine extends Place {
  /** Nothing goes in or out any more; connections stay open on both sides. */
  pullCable(): void
  plugCable(): void
}

/** This process's own address in the network. */
export const LAN_HOST = '10.77.0.1'
export const LAN_NETWORK = '10.77.0.0/24'
const BRIDGE = 'lan'

/** Options of a test. Containers often may not, in CI too. */
export function needsLan(): { skip: string | false } {
  if (process.getuid?.() !== 0) return { skip: 'only root may make network namespaces' }
  const script = `ip link add ${BRIDGE} type bridge && ip link add near type veth peer name far`
  const made = spawnSync('unshare', ['--net', 'sh', '-c', script]).status === 0
  return { skip: made ? false : 'this machine lets nobody make networks of namespaces (apt install iproute2)' }
}

export class Lan implements AsyncDisposable {
  readonly #anchors: ChildProcess[] = []

  private constructor() {
    ip('link set lo up')
    ip(`link add ${BRIDGE} type bridge`)
    ip(`addr add ${LAN_HOST}/24 dev ${BRIDGE}`)
    ip(`link set ${BRIDGE} up`)
  }

  /** Throws where this process has no network of its own: the machine's must stay as it is. */
  static make(): Lan {
    if (Object.keys(networkInterfaces()).length > 0)
      // a new one has only a loopback, and that is down
      throw new Error('this network is in use: start it by "unshare --net"')
    return new Lan()
  }

  async join(): Promise<Machine> {
    const number = this.#anchors.length + 2
    const anchor = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up; echo up; exec sleep infinity'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#anchors.push(anchor)
    await once(anchor.stdout, 'data')
    const [cable, host] = [`machine${number}`, `10.77.0.${number}`]
    const within = ['nsenter', `--net=/proc/${anchor.pid}/ns/net`]
    ip(`link add ${cable} type veth peer name eth0 netns ${anchor.pid}`)
    ip(`link set ${cable} master ${BRIDGE} up`)
    for (const line of [`addr add ${host}/24 dev eth0`, 'link set eth0 up'])
      execFileSync(within[0] as string, [...within.slice(1), 'ip', ...line.split(' ')])
    return {
      host,
      within,
      pullCable: () => ip(`link set ${cable} down`),
      plugCable: () => ip(`link set ${cable} up`),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const anchor of this.#anchors) anchor.kill('SIGKILL')
    ip(`link delete ${BRIDGE}`)
  }
}

function ip(line: string): void {
  execFileSync('ip', line.split(' '), { stdio: ['ignore', 'ignore', 'inherit'] })
}
