import { connect, type Socket } from 'node:net'

/** A TCP connection to one address, or why there is none. The socket is paused: nothing that arrives early is lost. */
export function connectSocket(
  address: string,
  port: number,
  timeoutMs: number,
): Promise<{ readonly socket: Socket } | { readonly why: string }> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port })
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
