/** Ports that nobody listens on, for servers that cannot pick one themselves, or shall have it after a restart. */
import { type AddressInfo, type Server, createServer } from 'node:net'

/**
 * Below those that systems give to outgoing connections, and to whoever asks for any: nobody takes one before its server is up, or
 * while it is down. Each process has a slice of them to itself, and gives none twice before it has given all.
 */
const PORTS = { from: 10_240, to: 32_768 }
const SLICE = 256
const SLICES = (PORTS.to - PORTS.from) / SLICE

let slice: Promise<number> | undefined
let given = 0

export async function freePort(host = '127.0.0.1'): Promise<number> {
  return (await freePorts(['only'], host)).only
}

/** A different one for each name. */
export async function freePorts<Name extends string>(
  names: readonly Name[],
  host = '127.0.0.1',
): Promise<Record<Name, number>> {
  slice ??= claimSlice()
  const firstPort = await slice
  const held: Server[] = []
  while (held.length < names.length) {
    const server = await listening(firstPort + 1 + (given++ % (SLICE - 1)), host)
    if (server !== undefined) held.push(server)
  }
  const ports = held.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))))
  return Object.fromEntries(names.map((name, index) => [name, ports[index]])) as Record<Name, number>
}

/** Its first port, on which this process listens to its end: so nobody else has it. */
async function claimSlice(): Promise<number> {
  for (let turn = 0; turn < SLICES; turn++) {
    const firstPort = PORTS.from + ((process.pid + turn) % SLICES) * SLICE
    const server = await listening(firstPort, '127.0.0.1')
    if (server === undefined) continue
    server.unref()
    return firstPort
  }
  throw new Error('all slices of ports are taken')
}

/** `undefined` when the port is taken. */
function listening(port: number, host: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy())
  return new Promise((resolve) =>
    server.once('error', () => resolve(undefined)).listen(port, host, () => resolve(server)),
  )
}
