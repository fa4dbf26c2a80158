/** Who is there? The first words of a server say it. */
import { type Socket, type TcpNetConnectOpts, type IpcNetConnectOpts, connect } from 'node:net'
import { connect as connectTls } from 'node:tls'

const TIMEOUT_MS = 5_000
/** A greeting is a line; a program that talks on is none of ours. */
const GREETING_MAX_BYTES = 1_024
/** We speak for ourselves, where balancers say for whom they do. */
const PROXY_HEADER = 'PROXY UNKNOWN\r\n'

/** `silent`: connected, and waits for a question. `wrong`: no TLS, hung up, or nothing said in time. */
export type Greeting =
  | { readonly kind: 'said'; readonly text: string }
  | { readonly kind: 'silent' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'wrong' }

export interface GreetingOptions {
  readonly tls: boolean
  readonly speaksFirst: boolean
  /** It wants to hear a PROXY header from this machine. */
  readonly proxied: boolean
}

/** Nobody listens, or there is no such socket. */
const REFUSED: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ENOENT'])

export function greetingOf(
  at: TcpNetConnectOpts | IpcNetConnectOpts,
  { tls, speaksFirst, proxied }: GreetingOptions,
): Promise<Greeting> {
  return new Promise((resolve) => {
    const socket = connect(at)
    let text = ''
    const settle = (greeting: Greeting): void => {
      clearTimeout(limit)
      socket.destroy()
      resolve(greeting)
    }
    const limit = setTimeout(() => settle({ kind: 'wrong' }), TIMEOUT_MS)
    const watch = (each: Socket): void => {
      each.on('error', ({ code }: NodeJS.ErrnoException) => settle({ kind: REFUSED.has(code) ? 'refused' : 'wrong' }))
      each.once('close', () => settle({ kind: 'wrong' }))
    }
    const listen = (each: Socket): void => {
      if (!speaksFirst) settle({ kind: 'silent' })
      each.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1')
        if (text.includes('\n') || text.length > GREETING_MAX_BYTES) settle({ kind: 'said', text })
      })
    }
    watch(socket)
    socket.once('connect', () => {
      if (proxied) socket.write(PROXY_HEADER)
      if (!tls) return listen(socket)
      // whether the certificate is good is looked at elsewhere: here it is asked who is there
      const secure = connectTls({ socket, rejectUnauthorized: false })
      watch(secure)
      secure.once('secureConnect', () => listen(secure))
    })
  })
}
