/** Addresses of a host, asked of the configured name server or of the system's. */
import { type LookupAddress, lookup } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import { promisify } from 'node:util'

/** No addresses when the name has none; rejects when nobody could say. */
export type LookUpHost = (host: string) => Promise<readonly LookupAddress[]>

const TIMEOUT_MS = 3_000
const TRIES = 2
/** The name does not exist, or has no address: an answer, unlike all other failures. */
const ABSENT: ReadonlySet<string | undefined> = new Set(['ENOTFOUND', 'ENODATA'])

/**
 * `server`: `dns.resolver` of the configuration. The system's resolver knows the hosts file, but a slow name holds up one of
 * the few threads that also read and write files: names that anybody may choose are asked of the name servers directly.
 */
export function createLookUp(server: string | undefined, by: 'system' | 'name-server' = 'system'): LookUpHost {
  const ask = server === undefined && by === 'system' ? askSystem : askServer(server)
  return async (host) => {
    const answers = await Promise.allSettled(ask(host))
    const found = answers.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
    const failed = answers.find((each) => each.status === 'rejected' && !ABSENT.has(codeOf(each.reason)))
    if (found.length === 0 && failed?.status === 'rejected') throw failed.reason
    return found
  }
}

type Ask = (host: string) => readonly Promise<readonly LookupAddress[]>[]

const askSystem: Ask = (host) => [promisify(lookup)(host, { all: true })]

function askServer(server: string | undefined): Ask {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES })
  if (server !== undefined) resolver.setServers([server])
  return (host) => [
    resolver.resolve6(host).then((found) => found.map((address) => ({ address, family: 6 }))),
    resolver.resolve4(host).then((found) => found.map((address) => ({ address, family: 4 }))),
  ]
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code
