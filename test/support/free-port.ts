/** Ports that nobody listened on a moment ago, for servers that cannot pick one themselves, or shall have it after a restart. */
import { randomInt } from 'node:crypto'
import { type AddressInfo, type Server, createServer } from 'node:net'

/**
 * Below those that systems give to outgoing connections, and to whoever asks for any: nobody takes one before its server is up, or
 * while it is down.
 */
const PORTS = { from: 10_240, to: 32_768 }

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
    const port = randomInt(PORTS.from, PORTS.to)
    const isFree = await new Promise<boolean>((resolve) =>
      server.once('error', () => resolve(false)).listen(port, host, () => resolve(true)),
    )
    if (isFree) held.push(server)
  }
  const ports = held.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))))
  return Object.fromEntries(names.map((name, index) => [name, ports[index]])) as Record<Name, number>
}
