/** Stands in front of a server, and does to connections what networks and busy servers do. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type Trouble =
  /** The connection is gone after so many bytes in this direction. */
  | { readonly kind: 'cut'; readonly direction: 'up' | 'down'; readonly afterBytes: number }
  /** Nothing is ever answered. */
  | { readonly kind: 'silence' }
  /** In place of the server. */
  | { readonly kind: 'answer'; readonly text: string }

export interface TroubledProxy extends AsyncDisposable {
  readonly port: number
  /** Happens to the next connections, one to each; `always`: to all, until it is called again. Open ones are closed. */
  set(troubles: readonly Trouble[], always?: Trouble): void
  /** Connections since `set`. */
  readonly connections: number
}

export async function startTroubledProxy(serverPort: number): Promise<TroubledProxy> {
  const sockets = new Set<Socket>()
  let [waiting, always, connections] = [[] as Trouble[], undefined as Trouble | undefined, 0]
  const server = createServer((client) => {
    connections++
    const upstream = connect(serverPort, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
    }
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
    join(client, upstream, waiting.shift() ?? always)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const closeAll = (): void => sockets.forEach((socket) => socket.destroy())
  return {
    port: (server.address() as AddressInfo).port,
    set(troubles, forever) {
      ;[waiting, always, connections] = [[...troubles], forever, 0]
      closeAll()
    },
    get connections() {
      return connections
    },
    async [Symbol.asyncDispose]() {
      closeAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function join(client: Socket, upstream: Socket, trouble: Trouble | undefined): void {
  if (trouble?.kind === 'silence') {
    client.resume()
    return
  }
  if (trouble?.kind === 'answer') {
    client.once('data', () => client.end(trouble.text)).resume()
    return
  }
  client.pipe(upstream)
  upstream.pipe(client)
  if (trouble === undefined) return
  let passedBytes = 0
  const from = trouble.direction === 'up' ? client : upstream
  from.on('data', (chunk: Buffer) => {
    passedBytes += chunk.length
    if (passedBytes > trouble.afterBytes) client.destroy()
  })
}
