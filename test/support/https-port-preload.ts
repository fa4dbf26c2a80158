/**
 * Loaded before anything else into a server under test (NODE_OPTIONS=--import …): what it wants to ask at port 443, which
 * only root may listen on, it asks at the port in TEST_HTTPS_PORT.
 */
import { Socket } from 'node:net'

const real = Socket.prototype.connect as (this: Socket, ...args: readonly unknown[]) => Socket

function connect(this: Socket, ...args: readonly unknown[]): Socket {
  const [first, ...rest] = args
  const options = first as { readonly port?: unknown } | undefined
  return typeof options === 'object' && Number(options.port) === 443
    ? real.call(this, { ...options, port: Number(process.env['TEST_HTTPS_PORT']) }, ...rest)
    : real.call(this, ...args)
}

Socket.prototype.connect = connect
