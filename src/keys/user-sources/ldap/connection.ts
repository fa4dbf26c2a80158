/** A connection to a directory: the one that was made, verified and never replaced by another behind our back. */
import { isIP, type Socket, connect } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { Client } from 'ldapts'
import { askStartTls } from './start-tls.ts'

/** `plain` is for this machine, or for who says so. */
export type LdapSecurity = 'tls' | 'starttls' | 'plain'

export interface LdapServer {
  readonly host: string
  readonly port: number
  readonly security: LdapSecurity
}

export interface LdapConnection {
  readonly client: Client
  isOpen(): boolean
  close(): void
}

export interface ConnectOptions {
  /** Of the authorities that may vouch for the directory; the system's when missing. */
  readonly ca: string | undefined
  /** Of the connection, and of each answer. */
  readonly timeoutMs: number
}

/** Rejects with why: nobody there, or a certificate that does not name the host. */
export async function connectLdap(server: LdapServer, options: ConnectOptions): Promise<LdapConnection> {
  const socket = await bounded(server, options)
  socket.unref()
  let handedOver = false
  const client = new Client({
    url: 'ldap://directory', // the library connects nowhere: it is given the socket
    timeout: options.timeoutMs,
    createConnection: () => {
      // it would connect anew by itself, without TLS, and then send a password
      if (handedOver) throw new Error('the connection to the directory is closed')
      handedOver = true
      return socket
    },
  })
  return { client, isOpen: () => !socket.destroyed && socket.readyState === 'open', close: () => socket.destroy() }
}

async function bounded(server: LdapServer, options: ConnectOptions): Promise<Socket> {
  let current: Socket | undefined
  let late = false
  const keep = (socket: Socket): Socket => (current = socket)
  const timer = setTimeout(() => {
    late = true
    current?.destroy()
  }, options.timeoutMs)
  try {
    const socket = await open(server, options.ca, keep)
    socket.on('error', () => undefined) // who waits for an answer hears of it
    return socket
  } catch (error) {
    current?.destroy()
    throw late ? new Error(`no connection within ${options.timeoutMs / 1000} s`, { cause: error }) : error
  } finally {
    clearTimeout(timer)
  }
}

async function open(
  { host, port, security }: LdapServer,
  ca: string | undefined,
  keep: (socket: Socket) => Socket,
): Promise<Socket> {
  const tls: ConnectionOptions = {
    host,
    ...(isIP(host) === 0 && { servername: host }),
    ...(ca !== undefined && { ca }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
  }
  if (security === 'tls') return await opened(keep(connectTls({ ...tls, port })), 'secureConnect')
  const socket = await opened(keep(connect({ host, port })), 'connect')
  if (security === 'plain') return socket
  await askStartTls(socket)
  return await opened(keep(connectTls({ ...tls, socket })), 'secureConnect')
}

function opened(socket: Socket, event: 'connect' | 'secureConnect'): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve(socket))
    socket.on('error', reject)
    socket.once('close', () => reject(new Error('the directory closed the connection')))
  })
}
