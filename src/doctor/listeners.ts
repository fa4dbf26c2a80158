/** Are our own ports ours, and do they answer? */
import { createServer } from 'node:net'
import type { Config } from '../config/load.ts'
import { isWithin, networkList } from '../keys/public-address.ts'
import { type Finding, good, trouble } from './finding.ts'
import { greetingOf } from './greeting.ts'

type ListenerName = keyof Config['listeners']

/** What a listener of ours says first, and whether in TLS; the others wait for a question. */
const GREETINGS: Readonly<Record<ListenerName, { readonly tls: boolean; readonly greeting: RegExp | undefined }>> = {
  mx: { tls: false, greeting: /^220[ -]/ },
  submission: { tls: false, greeting: /^220[ -]/ },
  submissions: { tls: true, greeting: /^220[ -]/ },
  pop3: { tls: false, greeting: /^\+OK/ },
  pop3s: { tls: true, greeting: /^\+OK/ },
  https: { tls: true, greeting: undefined },
  http: { tls: false, greeting: undefined },
}

export async function examineListeners({ listeners }: Config): Promise<readonly Finding[]> {
  const names = Object.keys(GREETINGS) as ListenerName[]
  const wanted = names.flatMap((name) => {
    const at = listeners[name]
    return at === null || at.port === 0 ? [] : [{ name, at, check: `port ${at.port} (${name})` }]
  })
  const found = await Promise.all(wanted.map(async (each) => ({ ...each, finding: await examineListener(each) })))
  if (found.length > 0 && found.every(({ finding }) => finding === 'free')) return [NOT_RUNNING]
  return found.map(({ check, finding }) => (finding === 'free' ? missing(check) : finding))
}

interface Listener {
  readonly name: ListenerName
  readonly at: { readonly host: string; readonly port: number; readonly proxyProtocol?: readonly string[] }
  readonly check: string
}

const NOT_RUNNING = trouble('ports', 'warning', 'nobody listens: the server is not running', {
  why: 'No mail comes in here, and nobody fetches any.',
  remedy: 'systemctl start sealpost; what it says: journalctl -u sealpost',
})

const missing = (check: string): Finding =>
  trouble(check, 'warning', 'nobody listens, though other ports of ours answer', {
    why: 'The server began before this was set, or runs without the role that it belongs to.',
    remedy: 'systemctl restart sealpost; what it says: journalctl -u sealpost',
  })

/** `free`: nobody listens, and the server could. */
async function examineListener({ name, at, check }: Listener): Promise<Finding | 'free'> {
  const { tls, greeting } = GREETINGS[name]
  const host = reachable(at.host)
  const proxied = isWithin(networkList(at.proxyProtocol ?? []), host)
  const answer = await greetingOf({ host, port: at.port }, { tls, speaksFirst: greeting !== undefined, proxied })
  switch (answer.kind) {
    case 'refused':
      return await examineFree({ name, at, check })
    case 'silent':
      if (greeting === undefined) return good(check, 'answers')
      break
    case 'wrong':
      break
    case 'said':
      if (greeting?.test(answer.text) === true) return good(check, 'answers')
  }
  return trouble(check, 'broken', 'something else answers there, or nobody in time', {
    why: 'Another program has the port: users and other servers reach that one.',
    remedy: `ss -ltnp 'sport = :${at.port}' says which; stop it, or set "listeners.${name}.port"`,
  })
}

/** Nobody listens: is that because the server is down, or could it not? */
async function examineFree({ name, at, check }: Listener): Promise<Finding | 'free'> {
  const code = await tryToListen(at.host, at.port)
  if (code === 'EACCES')
    return trouble(check, 'warning', 'nobody listens, and the user who asks may not', {
      why: 'Ports below 1024 are for root: the server does not start, unless its unit lets it.',
      remedy:
        'AmbientCapabilities=CAP_NET_BIND_SERVICE in its systemd unit, or a port above 1023 behind a redirection.',
    })
  if (code !== undefined)
    return trouble(check, 'broken', `cannot be taken: ${code}`, {
      why: 'The server does not start.',
      remedy: `Set "listeners.${name}" to an address of this machine`,
    })
  return 'free'
}

/** An address that stands for all is reached by the loopback. */
const reachable = (host: string): string => ({ '::': '127.0.0.1', '0.0.0.0': '127.0.0.1' })[host] ?? host

/** The code of the error, or nothing when the port is free. */
function tryToListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen(port, host, () => server.close(() => resolve(undefined)))
  })
}
