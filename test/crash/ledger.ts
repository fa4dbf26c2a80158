/** What the server has promised, and what came of it, kept outside the server: here nothing is ever forgotten. */
import { hash } from 'node:crypto'
import type { Event } from '../support/provider.ts'
import { MARKER_NEEDLES, bodyOf } from './mails.ts'
import type { Taken } from './next-hop.ts'
import { fetchOnce, type Fetched } from './terminal.ts'

export type Way = 'out' | 'in'

/** One mail of the test, known by the token in its Message-ID and in the first line of its body. */
export interface TestMail {
  readonly token: string
  readonly way: Way
  /** Attempts, answered or not: when there was a second, a second copy may be its sender's (RFC 1047). */
  offered: number
  /** Attempts that were answered 250. */
  accepted: number
  /** Where the server was killed while this mail was under way. */
  readonly kills: string[]
  /** Recipients whose delivery was on record: they must not get another copy. */
  readonly settled: Set<string>
  /** What failed meanwhile in a server that lived. */
  readonly troubles: string[]
}

/** A mailbox that copies must be found in: whose it is, and by what. */
export interface Mailbox {
  readonly address: string
  /** 127.0.0.1, unless it says otherwise. */
  readonly host?: string
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

/** A copy that has come to the next hop, and in which life of which server. */
interface Arrival {
  readonly life: string
  /** 250 was said to its final dot. */
  readonly answered: boolean
}

/** What explains so many copies too many. */
interface Evidence {
  readonly copies: number
  readonly words: string
}

export class Ledger {
  readonly #mails = new Map<string, { readonly mail: TestMail; readonly promised: readonly Promised[] }>()
  /** By mailbox and UIDL: fetched again after a crash, a message is still one. */
  readonly #fetched = new Map<string, Seen>()
  /** By token and address: kills before that was settled, as far as `ended` was told of them. */
  readonly #killsBefore = new Map<string, number>()
  /** By token and address. */
  readonly #arrived = new Map<string, Arrival[]>()
  readonly #deleted = new Set<string>()
  readonly #ended = new Set<string>()
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
    const seen = this.#look(address, message)
    if (before !== undefined && before.digest !== seen.digest) this.#wrong.push(`${key} is not what it was before`)
    this.#fetched.set(key, seen)
    if (deleted) this.#deleted.add(key)
  }

  /** Something that may not be. */
  note(wrong: string): void {
    this.#wrong.push(wrong)
  }

  /** What a server has logged: a delivery that it has on record must not be repeated. */
  serverSaid(log: Iterable<Event>): void {
    for (const { event, messageId, recipient } of log) {
      const token = /token-[\w-]+/.exec(String(messageId))?.[0] ?? ''
      // what comes in is done when it is stored; what we send to our own users, only when the queue says so
      if (event !== 'delivered' && !(event === 'stored' && token.startsWith('token-in'))) continue
      this.#mails.get(token)?.mail.settled.add(String(recipient))
    }
  }

  nextHopTook({ recipient, data, life, answered }: Taken): void {
    const token = /^Message-ID:\s*<(token-[\w-]+)/im.exec(data.toString('latin1', 0, 16_384))?.[1] ?? 'unknown'
    if (MARKER_NEEDLES.some((needle) => data.includes(needle))) this.#wrong.push(`${token} left in clear`)
    this.#arrive(token, recipient, { life, answered })
  }

  #arrive(token: string, address: string, arrival: Arrival): void {
    const mail = this.#mails.get(token)?.mail
    if (mail === undefined) this.#wrong.push(`nobody expected ${token} at ${address}`)
    else if (mail.settled.has(address) && repeatsOf(mail) === 0)
      this.#wrong.push(`${token} came to ${address} again after that had been settled`)
    // not the token that was cut out of the copy: that would keep all of it in memory
    const key = `${mail?.token ?? token} ${address}`
    const before = this.#arrived.get(key)
    if (before === undefined) this.#arrived.set(key, [arrival])
    else before.push(arrival)
  }

  /** These lives of servers have ended, or their word cannot be kept: whoever's copy was not settled by then may get another. */
  ended(where: string, lives: readonly string[]): void {
    for (const life of lives) this.#ended.add(life)
    for (const { mail, promised } of this.#mails.values()) {
      const open = promised.filter(({ address }) => mail.offered > 0 && !mail.settled.has(address))
      if (open.length > 0) mail.kills.push(where)
      for (const { address } of open) {
        const key = `${mail.token} ${address}`
        this.#killsBefore.set(key, (this.#killsBefore.get(key) ?? 0) + 1)
      }
    }
  }

  /** When every queue is empty and every mailbox was collected. */
  verdict(): Verdict {
    const found = this.#count()
    const lost: string[] = []
    const duplicated: string[] = []
    for (const { mail, promised } of this.#mails.values()) {
      for (const { address, what } of promised) {
        const key = `${mail.token} ${what} ${address}`
        const copies = found.get(key) ?? 0
        found.delete(key)
        if (mail.accepted === 0) continue
        if (copies === 0) lost.push(`${key}; ${killsOf(mail)}`)
        if (copies <= 1) continue
        const evidence = this.#evidence(mail, { address, what })
        duplicated.push(`${key}: ${copies}; ${evidence.words}; ${killsOf(mail)}`)
        if (copies > 1 + evidence.copies) this.#wrong.push(`${key}: ${copies} copies, and only ${evidence.words}`)
      }
      if (mail.accepted === 0 && mail.offered > 0) this.#wrong.push(`${mail.token} was never accepted`)
    }
    return { lost, duplicated, wrong: [...this.#wrong, ...Array.from(found.keys(), (key) => `nobody expected ${key}`)] }
  }

  /** How many of each token, kind and mailbox. */
  #count(): Map<string, number> {
    const found = new Map<string, number>()
    const add = (key: string, copies: number): void => void found.set(key, (found.get(key) ?? 0) + copies)
    for (const { key } of this.#fetched.values()) add(key, 1)
    for (const [name, copies] of this.#arrived) add(name.replace(' ', ' copy '), copies.length)
    return found
  }

  #look(address: string, message: Buffer): Seen {
    const text = message.toString('latin1')
    const token = /token-[\w.-]+/.exec(text)?.[0] ?? 'unknown'
    const report = text.includes('message/delivery-status')
    const body = text.slice(text.indexOf('\r\n\r\n') + 4)
    const mail = this.#mails.get(token)?.mail
    if (!report && (mail === undefined || body !== bodyOf(mail.token)))
      this.#wrong.push(`${token} at ${address} was changed`)
    return { key: `${mail?.token ?? token} ${report ? 'report' : 'copy'} ${address}`, digest: hash('sha256', message) }
  }

  /** The window of RFC 1047, from both of its sides: as it was before us, and as we are before the next hop. */
  #evidence(mail: TestMail, { address, what }: Promised): Evidence {
    const repeats = repeatsOf(mail)
    const words = [`offered ${repeats} times without an answer`]
    const arrivals = this.#arrived.get(`${mail.token} ${address}`)
    if (arrivals !== undefined) {
      for (const { life, answered } of arrivals)
        words.push(`came to the next hop in life ${life}${answered ? ', which was answered 250' : ''}`)
      // who has delivered and lived on has it on record: each copy but the last needs the end of a life that had it
      const before = new Set(arrivals.slice(0, -1).map(({ life }) => life))
      return { copies: repeats + before.intersection(this.#ended).size, words: words.join(', ') }
    }
    // a report is stored before its own row in the queue is gone: a kill between the two brings another
    const unsettled = what === 'report' || (mail.way === 'out' && !mail.settled.has(address))
    const before = this.#killsBefore.get(`${mail.token} ${address}`)
    const kills = before !== undefined && mail.way === 'out' ? before : unsettled ? mail.kills.length : 0
    if (kills > 0) words.push(`killed ${kills} times before it was settled`)
    return { copies: repeats + kills, words: words.join(', ') }
  }
}

/** One message in one mailbox: of which mail, and what it is. */
interface Seen {
  /** Token, kind and mailbox. */
  readonly key: string
  readonly digest: string
}

/** Attempts of the sender that were not answered 250: each may have come in all the same. */
const repeatsOf = ({ offered, accepted }: TestMail): number => offered - accepted

function killsOf({ kills, troubles }: TestMail): string {
  const killed = kills.map((where) => `killed ${where}`)
  return [...killed, ...troubles.map((where) => `failed ${where}`)].join(' and ')
}
