/** Who writes the mails of a run under load: users here, a foreign user whose provider seals, and strangers who do not. */
import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Provider, makeProvider } from '../support/provider.ts'
import type { Ledger, Mailbox, Promised, TestMail } from './ledger.ts'
import type { ClientMail } from './load.ts'
import { outgoingText, write } from './mails.ts'
import { AZUMA, addUser, giveKeys } from './victim.ts'

export const DOMAIN = 'abc.com'
export const FOREIGN_DOMAIN = 'biglobe.ne.jp'
const NOBODY = `nobody@${FOREIGN_DOMAIN}`
/** Mails of a foreign provider that are sealed in one go, for each call takes a second. */
const SEALED_AT_ONCE = 64
/** One in so many mails is of that kind. */
const ONE_IN = { sealed: 8, large: 12, local: 3, returned: 10 }

export class Authors implements AsyncDisposable {
  /** Of the server under test. */
  readonly users: readonly [Mailbox, Mailbox]
  readonly #foreign: Provider
  readonly #random: () => number
  readonly #sealed: ClientMail[] = []
  #sealing: Promise<void> | undefined

  private constructor(foreign: Provider, users: readonly [Mailbox, Mailbox], random: () => number) {
    this.#foreign = foreign
    this.users = users
    this.#random = random
  }

  /** Users of `provider` and a foreign one, who know each other's keys. */
  static async make(provider: Provider, keys: Record<string, unknown>, random: () => number): Promise<Authors> {
    await using made = new AsyncDisposableStack()
    const foreign = made.use(await makeProvider({ domains: [FOREIGN_DOMAIN], config: { keys, peers: [DOMAIN] } }))
    await foreign.cli(['user', 'add', AZUMA])
    const users = [
      await addUser(provider, `u-suzuki@${DOMAIN}`),
      await addUser(provider, `h-kubota@${DOMAIN}`),
    ] as const
    await giveKeys(
      provider,
      foreign,
      users.map(({ address }) => address),
    )
    await giveKeys(foreign, provider, [AZUMA])
    made.move()
    return new Authors(foreign, users, random)
  }

  /** A new mail, and `ledger` knows of it. */
  async next(way: TestMail['way'], ledger: Ledger): Promise<ClientMail> {
    const next =
      way === 'out' ? this.#outgoing() : this.#oneIn(ONE_IN.sealed) ? await this.#sealedMail() : this.#unsealed()
    ledger.add(next.mail, promisedFor(next))
    return next
  }

  #oneIn(many: number): boolean {
    return this.#random() * many < 1
  }

  #outgoing(): ClientMail {
    const [suzuki, kubota] = this.users
    const to = [AZUMA]
    if (this.#oneIn(ONE_IN.local)) to.push(kubota.address)
    if (this.#oneIn(ONE_IN.returned)) to.push(NOBODY)
    return clientMail('out', this.#oneIn(ONE_IN.large) ? 'large' : 'small', suzuki.address, to)
  }

  #unsealed(): ClientMail {
    const [suzuki, kubota] = this.users
    const to = this.#oneIn(2) ? [suzuki.address] : [suzuki.address, kubota.address]
    return clientMail('in', this.#oneIn(ONE_IN.large) ? 'large' : 'small', 'someone@elsewhere.example', to)
  }

  async #sealedMail(): Promise<ClientMail> {
    for (;;) {
      const mail = this.#sealed.pop()
      if (mail !== undefined) return mail
      this.#sealing ??= this.#seal().finally(() => (this.#sealing = undefined))
      await this.#sealing
    }
  }

  async #seal(): Promise<void> {
    const to = [this.users[0].address]
    const mails = Array.from({ length: SEALED_AT_ONCE }, () => write('in', 'small'))
    const files = mails.map(({ token }) => join(this.#foreign.dir, `${token}.eml`))
    for (const [index, mail] of mails.entries()) await writeFile(files[index] ?? '', outgoingText(mail, AZUMA, to))
    const sealed = await this.#foreign.cli(['seal', ...files, '--from', AZUMA, '--to', ...to])
    assert.equal(sealed.length, mails.length)
    for (const [index, mail] of mails.entries())
      this.#sealed.push({ mail, from: AZUMA, to, message: ended(String(sealed[index]?.['message'])) })
    await Promise.all(files.map((file) => rm(file)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#foreign[Symbol.asyncDispose]()
  }
}

function clientMail(way: TestMail['way'], size: 'small' | 'large', from: string, to: readonly string[]): ClientMail {
  const mail = write(way, size)
  return { mail, from, to, message: ended(outgoingText(mail, from, to)) }
}

/** With the final dot; no line of these mails begins with one. */
const ended = (message: string): Buffer => Buffer.from(`${message}.\r\n`, 'latin1')

/** Who must have a copy, and whether the sender must have a report. */
function promisedFor({ from, to }: ClientMail): Promised[] {
  return to.map((address) => (address === NOBODY ? { address: from, what: 'report' } : { address, what: 'copy' }))
}
