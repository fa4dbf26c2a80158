/** The server that is killed again and again, the terminals and the foreign server that talk to it, and its peer. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { access, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Provider, makeProvider } from '../support/provider.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'
import { queueLength, scanFolder } from './data-folder.ts'
import type { CrashPlan } from './kill-preload.ts'
import type { Ledger, Mailbox, Promised, TestMail } from './ledger.ts'
import { outgoingText, write } from './mails.ts'

export const PRELOAD = fileURLToPath(new URL('kill-preload.ts', import.meta.url))
/** For what takes milliseconds on a machine that has nothing else to do. */
const PATIENCE_MS = 60_000
const LOOK_EVERY_MS = 20
const SEALED_AT_ONCE = 16

/** Of a foreign domain, never killed: takes what the victims send, and its user writes to them. */
export interface Peer {
  readonly provider: Provider
  readonly mailbox: Mailbox
}

export const AZUMA = 't-azuma@biglobe.ne.jp'
const NOBODY = 'nobody@biglobe.ne.jp'

export async function makePeer(): Promise<Peer> {
  // the victims are known for what they are, so that both users of one share a copy from the first mail on
  const config = { protection: { threads: 1 }, peers: ['abc.com', 'victim1.example', 'victim2.example'] }
  const provider = await makeProvider({ domains: ['biglobe.ne.jp'], config })
  const mailbox = await addUser(provider, AZUMA)
  return { provider, mailbox }
}

export class Victim implements AsyncDisposable {
  readonly provider: Provider
  readonly #peer: Peer
  readonly #ledger: Ledger
  readonly #suzuki: Mailbox
  readonly #kubota: Mailbox
  readonly #planFile: string
  /** What the server has said on stderr. */
  #words = ''
  readonly #sealed = new Map<string, string>()
  /** Sealed by the peer, not used yet. */
  readonly #stock = { small: new Array<TestMail>(), large: new Array<TestMail>() }

  private constructor(provider: Provider, peer: Peer, ledger: Ledger, users: readonly [Mailbox, Mailbox]) {
    this.provider = provider
    this.#peer = peer
    this.#ledger = ledger
    this.#suzuki = users[0]
    this.#kubota = users[1]
    this.#planFile = join(provider.dir, 'plan.json')
  }

  static async make(domain: string, peer: Peer, ledger: Ledger): Promise<Victim> {
    const provider = await makeProvider({
      domains: [domain],
      config: {
        protection: { threads: 1 },
        peers: ['biglobe.ne.jp'],
        relay: { routes: { 'biglobe.ne.jp': `127.0.0.1:${peer.provider.ports.mx}` } },
      },
      env: { NODE_OPTIONS: `--import=${PRELOAD}` },
    })
    const users = [
      await addUser(provider, `u-suzuki@${domain}`),
      await addUser(provider, `h-kubota@${domain}`),
    ] as const
    await giveKeys(provider, peer.provider, [users[0].address, users[1].address])
    await giveKeys(peer.provider, provider, [AZUMA])
    return new Victim(provider, peer, ledger, users)
  }

  get #env(): Record<string, string> {
    return { CRASH_PLAN: this.#planFile }
  }

  /** Who writes, and who gets it. `out`: a foreign user, one who does not exist, two local ones. */
  #envelope(way: TestMail['way']): { readonly from: string; readonly to: readonly string[] } {
    const [suzuki, kubota] = [this.#suzuki.address, this.#kubota.address]
    return way === 'out' ? { from: suzuki, to: [AZUMA, NOBODY, kubota, suzuki] } : { from: AZUMA, to: [suzuki, kubota] }
  }

  #promised({ way }: TestMail): readonly Promised[] {
    const [suzuki, kubota] = [this.#suzuki.address, this.#kubota.address]
    if (way === 'in') return [suzuki, kubota].map((address) => ({ address, what: 'copy' as const }))
    return [
      { address: AZUMA, what: 'copy' },
      { address: kubota, what: 'copy' },
      { address: suzuki, what: 'copy' },
      { address: suzuki, what: 'report' },
    ]
  }

  /** `count` mails out and as many in, in turn: new in the ledger. */
  async newMails(size: 'small' | 'large', count: number): Promise<TestMail[]> {
    const mails: TestMail[] = []
    const stock = this.#stock[size]
    for (let at = 0; at < count; at++) {
      if (stock.length === 0) stock.push(...(await this.#sealAtPeer(size)))
      mails.push(write('out', size), ...stock.splice(0, 1))
    }
    for (const mail of mails) this.#ledger.add(mail, this.#promised(mail))
    return mails
  }

  /** Many at once, for each call takes a second: what the foreign user's provider will send. */
  async #sealAtPeer(size: 'small' | 'large'): Promise<TestMail[]> {
    const mails = Array.from({ length: SEALED_AT_ONCE }, () => write('in', size))
    const { from, to } = this.#envelope('in')
    const files = mails.map(({ token }) => join(this.#peer.provider.dir, `${token}.eml`))
    for (const [index, mail] of mails.entries()) await writeFile(files[index] ?? '', outgoingText(mail, from, to))
    const sealed = await this.#peer.provider.cli(['seal', ...files, '--from', from, '--to', ...to])
    assert.equal(sealed.length, mails.length, 'one copy for both recipients')
    for (const [index, { token }] of mails.entries()) this.#sealed.set(token, String(sealed[index]?.['message']))
    await Promise.all(files.map((file) => rm(file)))
    return mails
  }

  async start(): Promise<number> {
    const started = this.provider.start(this.#env)
    this.#words = ''
    this.provider.process?.stderr?.on('data', (chunk: Buffer) => (this.#words += chunk.toString()))
    this.provider.process?.setMaxListeners(100)
    return await started
  }

  #mustLive(): void {
    if (!this.alive)
      throw new Error(`the server is dead; it said: ${JSON.stringify(this.provider.log.at(-1))} ${this.#words}`)
  }

  /** Starts with the plan in force from the first moment; resolves when it is dead or has nothing more to do. */
  async startWith(plan: CrashPlan): Promise<void> {
    await this.#write(plan)
    const dead = Promise.withResolvers<void>()
    const started = this.provider.start({ ...this.#env, CRASH_NOW: '1' })
    this.provider.process?.once('exit', () => dead.resolve())
    await Promise.race([dead.promise, started.then(() => this.idle()).catch(() => dead.promise)])
  }

  /** From now on the plan is in force. */
  async arm(plan: CrashPlan): Promise<void> {
    await this.#write(plan)
    this.provider.process?.kill('SIGUSR2')
    await until('armed', async () => {
      this.#mustLive()
      return exists(`${this.#planFile}.armed`)
    })
  }

  /** The step of the plan in force has failed; one that comes in another order this time may not have been met. */
  async hasFailed(): Promise<boolean> {
    return exists(`${this.#planFile}.happened`)
  }

  async #write(plan: CrashPlan): Promise<void> {
    for (const said of ['armed', 'happened']) await rm(`${this.#planFile}.${said}`, { force: true })
    await writeFile(this.#planFile, JSON.stringify(plan))
  }

  get alive(): boolean {
    const child = this.provider.process
    return child !== undefined && child.exitCode === null && child.signalCode === null
  }

  /** One mail out, one mail in, one terminal that fetches and deletes; ends early when the server dies. */
  async oneByOne(out: TestMail, incoming: TestMail): Promise<void> {
    await this.#asFarAsItGoes(async () => {
      await this.offer(out)
      await this.idle()
      await this.offer(incoming)
      await this.#ledger.collect(this.#kubota)
    })
  }

  /** All at once; ends when the server dies, or when everything is done. */
  async together(mails: readonly TestMail[]): Promise<void> {
    const works = [...mails.map((mail) => () => this.offer(mail)), () => this.#ledger.collect(this.#kubota)]
    await Promise.all(works.map((work) => this.#asFarAsItGoes(work)))
    await this.#asFarAsItGoes(() => this.idle())
  }

  /** What every sender does whose mail was not answered: sends it again. Then all of it is delivered. */
  async finish(mails: readonly TestMail[]): Promise<void> {
    for (const mail of mails) if (mail.accepted === 0) await this.offer(mail)
    await this.idle()
  }

  /** As `oneByOne`, but the server lives and something in it fails: what it answers 4yz is offered again. */
  async throughTrouble(out: TestMail, incoming: TestMail): Promise<void> {
    for (const mail of [out, incoming]) {
      for (let tries = 0; mail.accepted === 0; tries++) {
        await this.offer(mail).catch((error: unknown) => {
          if (tries === 2 || !/ was answered 4/.test(String(error))) throw error
        })
      }
      await until('all of the queue was tried', async () => {
        this.#mustLive()
        return (await queueLength(this.provider, 'never put off')) === 0
      })
    }
    await this.#ledger.collect(this.#kubota).catch((error: unknown) => {
      if (!/was answered -ERR/.test(String(error))) throw error
    })
  }

  async offer(mail: TestMail): Promise<void> {
    mail.offered += 1
    const { ports } = this.provider
    const { from, to } = this.#envelope(mail.way)
    const { password } = this.#suzuki
    const sealed = this.#sealed.get(mail.token) ?? ''
    const reply =
      mail.way === 'out'
        ? (await submit({ port: ports.submission, user: from, password, to, message: outgoingText(mail, from, to) }))
            .reply
        : await sendUnauthenticated(ports.mx, from, { to, message: Buffer.from(sealed, 'latin1') })
    if (!reply.startsWith('250')) throw new Error(`${mail.token} was answered ${reply}`)
    mail.accepted += 1
  }

  async collectAll(): Promise<void> {
    await this.#ledger.collect(this.#suzuki)
    await this.#ledger.collect(this.#kubota)
  }

  /** The queue is empty. */
  async idle(): Promise<void> {
    await until('the queue is empty', async () => {
      this.#mustLive()
      return (await queueLength(this.provider)) === 0
    })
  }

  /** Kills it when it is not dead yet. Throws when it died of anything else. True when the plan did it. */
  async die(): Promise<boolean> {
    const child = this.provider.process
    if (child === undefined) throw new Error('the server was not started')
    const byPlan = !this.alive
    if (this.alive) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    if (child.signalCode !== 'SIGKILL') {
      await wait(200) // for its last words
      const last = JSON.stringify(this.provider.log.at(-1))
      throw new Error(`the server ended by itself: ${child.exitCode} ${child.signalCode} ${last} ${this.#words}`)
    }
    return byPlan
  }

  /** Notes whom the server has said that it has delivered `mail` to. */
  noteSettled(mail: TestMail): void {
    for (const { event, messageId, recipient } of this.provider.log)
      if (event === 'delivered' && String(messageId).includes(mail.token)) mail.settled.add(String(recipient))
  }

  /** Names of files in the data folder that hold something of the mails in clear. */
  async plaintextFiles(): Promise<string[]> {
    return scanFolder(join(this.provider.dir, 'home'))
  }

  async recorded(): Promise<string> {
    return readFile(this.recordFile, 'utf8')
  }

  get recordFile(): string {
    return join(this.provider.dir, 'recorded.tsv')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.provider[Symbol.asyncDispose]()
  }

  /** An exception is what a client sees of a server's death; of a living server it is a failure. */
  async #asFarAsItGoes(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      await wait(LOOK_EVERY_MS)
      const child = this.provider.process
      if (child !== undefined && this.alive) await Promise.race([once(child, 'exit'), wait(2_000)])
      if (this.alive) throw error
    }
  }
}

export async function addUser(provider: Provider, address: string): Promise<Mailbox> {
  const [user] = await provider.cli(['user', 'add', address])
  return { address, port: provider.ports.pop3s, password: String(user?.['password']) }
}

export async function giveKeys(from: Provider, to: Provider, addresses: readonly string[]): Promise<void> {
  let pem = ''
  for (const address of addresses) {
    const [key] = await from.cli(['key', 'export', address, '--standard', 'smime'])
    pem += String(key?.['pem'])
  }
  await to.cli(['key', 'import', '-'], pem)
}

export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + PATIENCE_MS
  while (!(await isSo())) {
    if (Date.now() > endMs) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`)
    await wait(LOOK_EVERY_MS)
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
