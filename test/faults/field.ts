/**
 * A real server whose user writes to people behind faulty next hops, and a ledger outside of it: each mail that was answered 250
 * was taken by a next hop, came back to its author, or waits in the queue. Nothing else may be.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { writeCertificatePem } from '../../src/protection/smime/key-files/pem.ts'
import { fetchOnce } from '../crash/terminal.ts'
import { type Event, makeProvider, type Provider } from '../support/provider.ts'
import type { ScriptedSmtp } from '../support/scripted-smtp.ts'
import { smimeIdentity } from '../support/smime-identity.ts'
import { sendMail, signIn, type SmtpTalk } from '../support/smtp-client.ts'

const PRELOAD = fileURLToPath(new URL('hurry-preload.ts', import.meta.url))
const AUTHOR = 't-azuma@biglobe.ne.jp'
const PATIENCE_MS = 45_000
const LOOK_EVERY_MS = 25
const AGAIN_EVERY_MS = 10_000
/** The server takes so many deliveries at a time; all faults are met at once. */
const RUNNING_MAX = 200

/** What became of a mail for one recipient: the event, and the reply that decided. */
export interface Became {
  readonly event: 'delivered' | 'deferred' | 'returned'
  readonly reply: string
}

export interface Sent {
  readonly to: string
  /** In its Message-ID, which everybody may see. */
  readonly token: string
  /** In its text: where it is found, the mail could be read. */
  readonly secret: string
}

export interface SendOptions {
  /** Parameters of MAIL, such as ` REQUIRETLS`. */
  readonly mailParameters?: string
  /** More lines of the header. */
  readonly header?: string
  readonly sizeBytes?: number
}

export class Field implements AsyncDisposable {
  readonly provider: Provider
  readonly #password: string
  /** Answered 250. */
  readonly #accepted: Sent[] = []
  #session: SmtpTalk | undefined

  private constructor(provider: Provider, password: string) {
    this.provider = provider
    this.#password = password
  }

  /** `known`: to whom the author can write encrypted. To everybody else mail is only signed, and readable. */
  static async make(options: {
    readonly config: Record<string, unknown>
    readonly known: readonly string[]
    readonly env?: Record<string, string>
  }): Promise<Field> {
    const config = { queue: { runningMax: RUNNING_MAX, runningPerDomainMax: 10 }, ...options.config }
    const env = { NODE_OPTIONS: `--import=${PRELOAD}`, ...options.env }
    const provider = await makeProvider({ domains: ['biglobe.ne.jp'], config, env })
    const [user] = await provider.cli(['user', 'add', AUTHOR])
    const certificates = options.known.map((address) => smimeIdentity('p256', address).certificate.encoded)
    const file = join(provider.dir, 'known.pem')
    await writeFile(file, certificates.map(writeCertificatePem).join(''))
    if (certificates.length > 0) await provider.cli(['key', 'import', file])
    await provider.start()
    return new Field(provider, String(user?.['password']))
  }

  /** Sends one mail, which must be answered 250. */
  async send(to: string, { mailParameters, header = '', sizeBytes = 0 }: SendOptions = {}): Promise<Sent> {
    const [token, secret] = ['token', 'secret'].map((word) => `${word}-${randomBytes(9).toString('hex')}`) as [
      string,
      string,
    ]
    const message = [
      `From: <${AUTHOR}>`,
      `To: <${to}>`,
      'Subject: of no interest',
      `Message-ID: <${token}@terminal.example>`,
      `${header}MIME-Version: 1.0`,
      '',
      `This is ${secret}.`,
      ...Array.from({ length: sizeBytes / 66 }, () => randomBytes(32).toString('hex')),
      '',
    ].join('\r\n')
    this.#session ??= await signIn(this.provider.ports.submission, AUTHOR, this.#password)
    const mail = { to: [to], message, ...(mailParameters !== undefined && { mailParameters }) }
    const answer = await sendMail(this.#session, AUTHOR, mail)
    assert.match(answer, /^250/, `${to}: ${answer}`)
    const sent = { to, token, secret }
    this.#accepted.push(sent)
    return sent
  }

  /** What the server says became of it at the first attempt. */
  became(sent: Sent): Promise<Became> {
    const isAbout = ({ event, messageId }: Event): boolean =>
      ['delivered', 'deferred', 'returned'].includes(event) && messageId === `<${sent.token}@terminal.example>`
    return until(
      () => `something becomes of the mail to ${sent.to}`,
      () => {
        const found = this.provider.log.find(isAbout)
        return found && { event: found.event as Became['event'], reply: String(found['reply']) }
      },
    )
  }

  /** Stops the server and starts it again, with nothing of it in memory; everything that waits is tried at once. */
  async restart(): Promise<void> {
    await this.#session?.[Symbol.asyncDispose]()
    this.#session = undefined
    assert.equal(await this.provider.stop(), 0, 'it was still there, and went when it was told to')
    await this.provider.cli(['queue', 'retry', '--all'])
    await this.provider.start()
  }

  async queued(): Promise<readonly Record<string, unknown>[]> {
    return this.provider.cli(['queue', 'list'])
  }

  /**
   * When no mail is under way any more: where each is that was answered 250. `takenAt`: what next hops have taken; `twice`: for whom
   * RFC 1047 allows a second copy.
   */
  async settle(takenAt: () => Promise<readonly string[]>, twice: ReadonlySet<string>): Promise<void> {
    let waiting = await this.queued()
    let againMs = performance.now() + AGAIN_EVERY_MS
    const isEmpty = async (): Promise<true | undefined> => {
      waiting = await this.queued()
      // a machine that is slower than the hurried server allows for needs another try
      if (performance.now() > againMs) await this.provider.cli(['queue', 'retry', '--all'])
      if (performance.now() > againMs) againMs += AGAIN_EVERY_MS
      return waiting.length === 0 || undefined
    }
    await until(() => `the queue is empty; there is ${JSON.stringify(waiting)}`, isEmpty)
    const reports = await this.#reports()
    const taken = await takenAt()
    for (const { to, token } of this.#accepted) {
      const copies = taken.filter((text) => text.includes(token)).length
      const returned = reports.filter((text) => text.includes(token) && text.includes(`Final-Recipient: rfc822; ${to}`))
      const held = waiting.filter((row) => String(row['messageId']).includes(token))
      const what = `${to}: taken ${copies} times, returned ${returned.length} times, ${held.length} in the queue`
      assert(copies + returned.length + held.length > 0, `lost: ${what}`)
      assert(copies <= (twice.has(to) ? 2 : 1) && returned.length <= 1, `too often: ${what}`)
      assert(copies === 0 || returned.length === 0, `both: ${what}`)
    }
  }

  async #reports(): Promise<string[]> {
    const reports = new Map<string, string>()
    const mailbox = { address: AUTHOR, port: this.provider.ports.pop3s, password: this.#password }
    await fetchOnce(mailbox, ({ uidl, message }) => void reports.set(uidl, message.toString()))
    return [...reports.values()]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session?.[Symbol.asyncDispose]()
    await this.provider[Symbol.asyncDispose]()
  }
}

/** What these next hops have said that they take care of. */
export const takenBy = (peers: readonly ScriptedSmtp[]) => (): Promise<readonly string[]> =>
  Promise.resolve(peers.flatMap(({ taken }) => taken.map(String)))

/** Looks again and again until there is something. */
async function until<T>(what: () => string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const endMs = performance.now() + PATIENCE_MS
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    assert(performance.now() < endMs, `waited in vain until ${what()}`)
    await wait(LOOK_EVERY_MS)
  }
}
