/**
 * Loaded before anything else into a server under test (NODE_OPTIONS=--import …): it waits for seconds where it would wait for
 * minutes, and finds all mail hosts of the Internet, 192.0.2.0/24 and 2001:db8::/32 at port 25, at 127.0.0.1:$TEST_SMTP_PORT.
 */
import { Socket } from 'node:net'
import { RELAY_TIMEOUTS, type RelayTimeouts } from '../../src/relay/timeouts.ts'

/** Long enough that an honest peer on a busy machine keeps within them. */
const HURRY: RelayTimeouts = {
  connectMs: 2_000,
  greetingMs: 2_000,
  helloMs: 3_000,
  commandMs: 4_000,
  envelopeMs: 5_000,
  dataBlockMs: 4_000,
  dataTerminationMs: 5_000,
  farewellMs: 1_000,
}
Object.assign(RELAY_TIMEOUTS, HURRY)

const DOCUMENTATION = /^(?:192\.0\.2\.|2001:db8:)/ // RFC 5737, RFC 3849

const real = Socket.prototype.connect as (this: Socket, ...args: readonly unknown[]) => Socket

function connect(this: Socket, ...args: readonly unknown[]): Socket {
  const [options] = args.flat(2) as readonly { readonly host?: unknown; readonly port?: unknown }[]
  if (typeof options?.host !== 'string' || options.port !== 25 || !DOCUMENTATION.test(options.host))
    return real.call(this, ...args)
  return real.call(this, { host: '127.0.0.1', port: Number(process.env['TEST_SMTP_PORT']) })
}

Socket.prototype.connect = connect
