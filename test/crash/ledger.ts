/** What the server has promised, and what came of it, kept outside the server: here nothing is ever forgotten. */
import { fetchOnce, type Fetched } from './terminal.ts'

export type Way = 'out' | 'in'

/** One mail of the test, known by the token in its Message-ID and in the first line of its body. */
export interface TestMail {
  readonly token: string
  readonly way: Way
  /** As its author wrote it; what is fetched must have these octets after its header. */
  readonly body: string
  /** Attempts, answered or not: when there was a second, a second copy may be its sender's (RFC 1047). */
  offered: number
  /** Attempts that were answered 250. */
  accepted: number
  /** Where the server was killed while this mail was under way. */
  readonly kills: string[]
  /** Recipients whose delivery was on record when the server was killed: they must not get another copy. */
  readonly settled: Set<string>
  /** What failed meanwhile in a server that lived. */
  readonly troubles: string[]
}

/** A mailbox that copies must be found in: whose it is, and by what. */
export interface Mailbox {
  readonly address: string
  readonly port: number
  readonly password: string
}

/** What a mail must have become: one copy here, or one report of its failure. */
export interface Promised {
  readonly address: string
  readonly what: 'copy' | 'report'
}

export interface Verdict {
  readonly lost: readonly string[]
  /** Each says of which mail, where, and where the kill was. */
  readonly duplicated: readonly string[]
  /** Whatever else may not be: changed, returned although deleted, twice without a reason. */
  readonly wrong: readonly string[]
}

export class Ledger {
  readonly #mails = new Map<string, { readonly mail: TestMail; readonly promised: readonly Promised[] }>()
  /** By mailbox and UIDL: fetched again after a crash, a message is still one. */
  readonly #fetched = new Map<string, { readonly address: string; readonly message: Buffer }>()
  readonly #deleted = new Set<string>()
  readonly #wrong: string[] = []

  /** From now on the mail is somebody's business. */
  add(mail: TestMail, promised: readonly Promised[]): void {
    this.#mails.set(mail.token, { mail, promised })
  }

  get accepted(): number {
    return [...this.#mails.values()].reduce((sum, { mail }) => sum + mail.accepted, 0)
  }

  /** A terminal fetches everything and deletes it. Throws when the server dies meanwhile; what was fetched is kept. */
  async collect(mailbox: Mailbox): Promise<void> {
    await fetchOnce(mailbox, (seen) => this.#saw(mailbox.address, seen))
  }

  #saw(address: string, { uidl, message, deleted }: Fetched): void {
    const key = `${address} ${uidl}`
    if (this.#deleted.has(key)) this.#wrong.push(`${key} came back after QUIT had been answered`)
    const before = this.#fetched.get(key)
    if (before !== undefined && !before.message.equals(message)) this.#wrong.push(`${key} is not what it was before`)
    this.#fetched.set(key, { address, message })
    if (deleted) this.#deleted.add(key)
  }

  /** When every queue is empty and every mailbox was collected. */
  verdict(): Verdict {
    const found = this.#sort()
    const lost: string[] = []
    const duplicated: string[] = []
    for (const { mail, promised } of this.#mails.values()) {
      for (const { address, what } of promised) {
        const key = `${mail.token} ${what} ${address}`
        const copies = found.get(key) ?? 0
        found.delete(key)
        if (copies === 0) lost.push(`${key}; ${killsOf(mail)}`)
        if (copies > 1) duplicated.push(`${key}: ${copies}; ${killsOf(mail)}`)
        // a report is stored before its own row in the queue is gone: a kill between the two brings another
        const reason = mail.offered > 1 || what === 'report' || (mail.way === 'out' && !mail.settled.has(address))
        if (copies > 1 && !reason) this.#wrong.push(`${key}: another copy without a reason, ${killsOf(mail)}`)
        if (copies > 1 + mail.kills.length) this.#wrong.push(`${key}: ${copies} copies, ${killsOf(mail)}`)
      }
      if (mail.accepted === 0) this.#wrong.push(`${mail.token} was never accepted`)
    }
    return { lost, duplicated, wrong: [...this.#wrong, ...Array.from(found.keys(), (key) => `nobody expected ${key}`)] }
  }

  /** How many of each token, kind and mailbox. */
  #sort(): Map<string, number> {
    const found = new Map<string, number>()
    for (const { address, message } of this.#fetched.values()) {
      const text = message.toString('latin1')
      const token = /token-[\w.-]+/.exec(text)?.[0] ?? 'unknown'
      const report = text.includes('message/delivery-status')
      const body = text.slice(text.indexOf('\r\n\r\n') + 4)
      if (!report && body !== this.#mails.get(token)?.mail.body) this.#wrong.push(`${token} at ${address} was changed`)
      const key = `${token} ${report ? 'report' : 'copy'} ${address}`
      found.set(key, (found.get(key) ?? 0) + 1)
    }
    return found
  }
}

function killsOf({ kills, troubles }: TestMail): string {
  const killed = kills.map((where) => `killed ${where}`)
  return [...killed, ...troubles.map((where) => `failed ${where}`)].join(' and ')
}
