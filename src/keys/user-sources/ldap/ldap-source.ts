/**
 * Users of a directory (LDAP, RFC 4511): found by their address, and known by their password when the directory takes it
 * for their entry. Nothing of what a stranger writes becomes syntax: filters are built, never written.
 */
import {
  AndFilter,
  type Client,
  type Entry,
  EqualityFilter,
  type Filter,
  FilterParser,
  InappropriateAuthError,
  InvalidCredentialsError,
  NoSuchObjectError,
  OrFilter,
} from 'ldapts'
import type { Clock } from '../../../base/clock.ts'
import { type Address, addressKey, parseAddress } from '../../../message/address.ts'
import { AnswerCache } from '../answer-cache.ts'
import { type FoundUser, type Proof, SourceDown, type UserSource } from '../user-source.ts'
import { type LdapConnection, type LdapServer, connectLdap } from './connection.ts'
import { entryIdIn, valuesOf } from './entry-id.ts'
import { LdapPool } from './pool.ts'

export interface LdapSettings {
  /** Asked in this order. */
  readonly servers: readonly LdapServer[]
  /** PEM of the authorities that may vouch for them; the system's when missing. */
  readonly ca: string | undefined
  /** Whom we search as; missing: as nobody. */
  readonly service: { readonly dn: string; readonly password: string } | undefined
  readonly baseDn: string
  /** Of entries that are users (RFC 4515). */
  readonly filter: string
  readonly addressAttribute: string
  readonly aliasAttribute: string | null
  /** In front of each address in `aliasAttribute`. */
  readonly aliasPrefix: string
  /** What an entry keeps for as long as there is one; `null`: it is not asked for. */
  readonly idAttribute: string | null
  readonly timeoutMs: number
  readonly cacheMs: number
}

const ANSWERS_MAX = 50_000
/** That there is nobody is believed less long: whoever has just been added wants mail. */
const NOBODY_MAX_MS = 10_000

interface LdapUser extends FoundUser {
  readonly dn: string
}

export class LdapSource implements UserSource {
  readonly name = 'ldap'
  readonly #settings: LdapSettings
  readonly #users: Filter
  readonly #answers: AnswerCache<LdapUser | undefined>
  /** Signed in as the service, and as whoever it is that proves who they are. */
  readonly #searching: LdapPool
  readonly #proving: LdapPool

  /** Throws when the filter cannot be read. */
  constructor(settings: LdapSettings, clock: Clock) {
    this.#settings = settings
    this.#users = FilterParser.parseString(settings.filter)
    this.#answers = new AnswerCache({
      clock,
      entriesMax: ANSWERS_MAX,
      keepMs: (user) => (user === undefined ? Math.min(settings.cacheMs, NOBODY_MAX_MS) : settings.cacheMs),
    })
    this.#searching = new LdapPool(() => this.#connectAsService())
    this.#proving = new LdapPool(() => this.#connect())
  }

  find(address: Address): Promise<FoundUser | undefined> {
    return this.#answers.get(addressKey(address), () => this.#search(address))
  }

  /** Asks the directory each time: a password that was changed there counts at once. */
  async verify(address: Address, password: string): Promise<Proof> {
    const user = await this.#search(address)
    if (user === undefined) return { kind: 'nobody' }
    // with an empty password a bind succeeds for everybody: it proves nothing (RFC 4513)
    if (password === '') return { kind: 'wrong' }
    const isRight = await this.#ask(this.#proving, (client) => bind(client, user.dn, password))
    return isRight ? { kind: 'right', user } : { kind: 'wrong' }
  }

  /** Of one of its users, whichever comes first. */
  async saysWhichEntry(): Promise<boolean> {
    const { idAttribute } = this.#settings
    const [entry] = await this.#entries(this.#users, 1)
    return entry === undefined || (idAttribute !== null && entryIdIn(entry, idAttribute) !== undefined)
  }

  close(): void {
    this.#searching.close()
    this.#proving.close()
  }

  async #search(address: Address): Promise<LdapUser | undefined> {
    const { addressAttribute, idAttribute } = this.#settings
    const [entry, another] = await this.#entries(this.#filterFor(address), 2)
    // whose mail is it? nobody's, until somebody has put it in order
    if (another !== undefined) throw new SourceDown(`several entries have the address ${address}`)
    if (entry === undefined) return undefined
    const entryId = idAttribute === null ? undefined : entryIdIn(entry, idAttribute)
    return { dn: entry.dn, address: addressIn(entry, addressAttribute, address), entryId }
  }

  async #entries(filter: Filter, sizeLimit: number): Promise<readonly Entry[]> {
    const { baseDn, addressAttribute, aliasAttribute, idAttribute, timeoutMs } = this.#settings
    const { searchEntries } = await this.#ask(this.#searching, (client) =>
      client.search(baseDn, {
        scope: 'sub',
        derefAliases: 'never',
        filter,
        attributes: [addressAttribute, aliasAttribute, idAttribute].filter((name) => name !== null),
        sizeLimit,
        timeLimit: Math.ceil(timeoutMs / 1000),
      }),
    )
    return searchEntries
  }

  #filterFor(address: Address): Filter {
    const { addressAttribute, aliasAttribute, aliasPrefix } = this.#settings
    const value = addressKey(address)
    const named = [new EqualityFilter({ attribute: addressAttribute, value })]
    if (aliasAttribute !== null)
      named.push(new EqualityFilter({ attribute: aliasAttribute, value: `${aliasPrefix}${value}` }))
    return new AndFilter({ filters: [this.#users, new OrFilter({ filters: named })] })
  }

  async #ask<T>(pool: LdapPool, work: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await pool.use(work)
    } catch (error) {
      if (error instanceof SourceDown) throw error
      throw new SourceDown(error instanceof Error ? error.message : String(error), { cause: error })
    }
  }

  async #connectAsService(): Promise<LdapConnection> {
    const connection = await this.#connect()
    const { service } = this.#settings
    try {
      if (service !== undefined) await connection.client.bind(service.dn, service.password)
    } catch (error) {
      connection.close()
      throw new SourceDown(`the directory does not let us sign in: ${String(error)}`, { cause: error })
    }
    return connection
  }

  async #connect(): Promise<LdapConnection> {
    const { servers, ca, timeoutMs } = this.#settings
    const failures: string[] = []
    for (const server of servers)
      try {
        return await connectLdap(server, { ca, timeoutMs })
      } catch (error) {
        failures.push(`${server.host}:${server.port}: ${error instanceof Error ? error.message : String(error)}`)
      }
    throw new SourceDown(failures.join('; '))
  }
}

/** What else goes wrong, such as an entry that is locked for a while, says nothing about the password. */
async function bind(client: Client, dn: string, password: string): Promise<boolean> {
  try {
    await client.bind(dn, password)
    return true
  } catch (error) {
    const isWrong =
      error instanceof InvalidCredentialsError ||
      error instanceof InappropriateAuthError ||
      error instanceof NoSuchObjectError
    if (isWrong) return false
    throw error
  }
}

/** The address that was asked for when it is the user's own, else the first own one. */
function addressIn(entry: Entry, attribute: string, asked: Address): Address {
  const own = valuesOf(entry, attribute).flatMap((value) => parseAddress(value.toString().trim()) ?? [])
  const address = own.find((each) => addressKey(each) === addressKey(asked)) ?? own[0]
  if (address === undefined) throw new SourceDown(`${entry.dn} has no e-mail address in ${attribute}`)
  return address
}
