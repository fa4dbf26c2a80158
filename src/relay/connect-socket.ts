import { connect, type Socket } from 'node:net'

/** A connection to one IP address, or to the UNIX socket of a path, or why there is none. The socket is paused: nothing that arrives early is lost. */
export function connectSocket(
  address: string,
  port: number,
  timeoutMs: number,
): Promise<{ readonly socket: Socket } | { readonly why: string }> {
  return new Promise((resolve) => {
    const socket = connect(isSocketPath(address) ? { path: address } : { host: address, port })
    const limit = setTimeout(() => giveUp('timeout'), timeoutMs)
    const giveUp = (why: string): void => {
      clearTimeout(limit)
      socket.destroy()
      resolve({ why })
    }
    socket.on('error', (error: NodeJS.ErrnoException) => giveUp(error.code ?? error.message))
    socket.once('connect', () => {
      clearTimeout(limit)
      resolve({ socket })
    })
  })
}

/** A next hop that is a UNIX socket on this machine: an absolute path. */
export const isSocketPath = (address: string): boolean => address.startsWith('/')
