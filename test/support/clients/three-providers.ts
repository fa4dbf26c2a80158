/** The world of the patent's figures 5 and 6 for end-to-end tests: three providers, four users, keys exchanged. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Event, type Provider, makeProvider } from '../provider.ts'

export const AZUMA = 't-azuma@biglobe.ne.jp'
export const KUBOTA = 'h-kubota@biglobe.ne.jp'
export const SUZUKI = 'u-suzuki@abc.com'
export const ESTO = 'i-esto@nec.co.us'
const USERS = [AZUMA, KUBOTA, SUZUKI, ESTO] as const
const DOMAINS = ['biglobe.ne.jp', 'abc.com', 'nec.co.us'] as const
type Domain = (typeof DOMAINS)[number]

/** A program on a user's machine: a home folder, and what its owner has typed in. */
export interface Terminal {
  readonly home: string
  readonly address: string
  readonly password: string
  readonly ports: Provider['ports']
  /** The servers' certificate, for localhost; in life a public authority vouches for it, and the terminal knows that one. */
  readonly anchor: string
}

export interface World extends AsyncDisposable {
  /** A new terminal of a user. */
  terminal(address: string): Terminal
  provider(address: string): Provider
  /** Resolves when one more mail than at the last call has been stored for this recipient. */
  stored(recipient: string): Promise<Event>
}

const STORED_TIMEOUT_MS = 60_000

/** `config` is for all three; `users` are registered besides the four. */
export async function makeWorld(config: Record<string, unknown> = {}, users: readonly string[] = []): Promise<World> {
  const made = await Promise.all(DOMAINS.map((domain) => makeProvider({ domains: [domain], config })))
  const providers = new Map<string, Provider>(DOMAINS.map((domain, index) => [domain, made[index] as Provider]))
  const provider = (address: string): Provider => {
    const found = providers.get(domainOf(address))
    if (found === undefined) throw new Error(`${address} is nobody's user here`)
    return found
  }
  const passwords = new Map<string, string>()
  const homes: string[] = []
  const seen = new Set<Event>()
  const world: World = {
    terminal(address) {
      const home = mkdtempSync(join(tmpdir(), 'terminal-'))
      homes.push(home)
      const { ports, configFile } = provider(address)
      const anchor = join(dirname(configFile), 'tls-certificate.pem')
      return { home, address, password: passwords.get(address) ?? '', ports, anchor }
    },
    provider,
    async stored(recipient) {
      const isNew = (event: Event): boolean => event['recipient'] === recipient && !seen.has(event)
      const event = await provider(recipient).event('stored', isNew, STORED_TIMEOUT_MS)
      seen.add(event)
      return event
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(made.map((each) => each[Symbol.asyncDispose]()))
      for (const home of homes) rmSync(home, { recursive: true, force: true })
    },
  }
  try {
    for (const domain of DOMAINS) await introducePeers(providers, domain)
    const everybody = [...USERS, ...users]
    const keys = await Promise.all(everybody.map((address) => register(provider(address), address, passwords)))
    await Promise.all(
      DOMAINS.map(async (domain) => {
        const foreign = keys.filter((_key, index) => domainOf(everybody[index] as string) !== domain)
        await providers.get(domain)?.cli(['key', 'import', '-'], foreign.join(''))
      }),
    )
    await Promise.all(made.map((each) => each.start()))
    return world
  } catch (error) {
    await world[Symbol.asyncDispose]()
    throw error
  }
}

const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1)

async function introducePeers(providers: ReadonlyMap<string, Provider>, domain: Domain): Promise<void> {
  const others = DOMAINS.filter((other) => other !== domain)
  const routes: Record<string, string> = {}
  for (const other of others) routes[other] = `127.0.0.1:${providers.get(other)?.ports.mx}`
  await providers.get(domain)?.configure({ relay: { routes }, peers: others })
}

/** Returns the public key of the new user. */
async function register(provider: Provider, address: string, passwords: Map<string, string>): Promise<string> {
  const [user] = await provider.cli(['user', 'add', address])
  passwords.set(address, String(user?.['password']))
  const [key] = await provider.cli(['key', 'export', address, '--standard', 'smime'])
  return String(key?.['pem'])
}
