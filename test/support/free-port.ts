/** Ports that nobody listens on, for servers that cannot pick one themselves, or shall have it after a restart. */
import { type AddressInfo, type Server, createServer } from 'node:net'

/**
 * Below those that systems give to outgoing connections, and to whoever asks for any: nobody takes one before its server is up, or
 * while it is down. Each test process has a slice of them, and gives none twice before it has given all.
 */
const PORTS = { from: 10_240, to: 32_768 }
const SLICE = 256
const SLICES = (PORTS.to - PORTS.from) / SLICE

const sliceFrom = PORTS.from + (process.pid % SLICES) * SLICE
let given = 0

export async function freePort(host = '127.0.0.1'): Promise<number> {
  return (await freePorts(['only'], host)).only
}

/** A different one for each name. */
export async function freePorts<Name extends string>(
  names: readonly Name[],
  host = '127.0.0.1',
): Promise<Record<Name, number>> {
  const held: Server[] = []
  while (held.length < names.length) {
    const server = createServer()
    const port = sliceFrom + (given++ % SLICE)
    const isFree = await new Promise<boolean>((resolve) =>
      server.once('error', () => resolve(false)).listen(port, host, () => resolve(true)),
    )
    if (isFree) held.push(server)
  }
  const ports = held.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))))
  return Object.fromEntries(names.map((name, index) => [name, ports[index]])) as Record<Name, number>
}
