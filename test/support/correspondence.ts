/**
 * A provider and a correspondent who has no Sealpost, with the Internet between them: what our users submit arrives at
 * the correspondent's mail exchanger as it crossed the wire, what the correspondent sends goes to our port 25.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Correspondent, type KeyKind, makeCorrespondent } from './correspondent.ts'
import { fetchAll } from './pop3-client.ts'
import { type Provider, makeProvider } from './provider.ts'
import { type ScriptedSmtp, startScriptedSmtp } from './scripted-smtp.ts'
import { sendUnauthenticated, submit } from './smtp-client.ts'

export const OUR_DOMAIN = 'biglobe.example'

/** What one of the correspondent's domains is to be sent. */
export interface PeerDomain {
  readonly domain: string
  /** `policy.perDomain` of it. */
  readonly policy: Readonly<Record<string, unknown>>
  /** The correspondent's certificates do not name it, so that nothing can be encrypted to it. */
  readonly keyless?: boolean
}

export interface CorrespondenceOptions {
  readonly config?: Record<string, unknown>
  /** We trust the correspondent's authority, and have not got their certificates. */
  readonly strangers?: boolean
}

export interface Correspondence extends AsyncDisposable {
  readonly provider: Provider
  readonly peer: Correspondent
  /** The certificate of our domain's authority, as a correspondent gets it from the postmaster. */
  readonly ourCaFile: string
  /** Our users by the kind of their key. */
  readonly users: Readonly<Record<KeyKind, { readonly address: string; readonly certificateFile: string }>>
  /** An address that the correspondent's certificate of this kind names. */
  addressOf(kind: KeyKind): string
  /** Our user submits; the mail as it arrives at the correspondent's server. `message` has CRLF and a Message-ID. */
  send(from: KeyKind, to: string, message: string): Promise<Buffer>
  /** The correspondent's server hands over a mail; our reply. */
  deliver(from: string, to: KeyKind, message: Uint8Array): Promise<string>
  /** What our user finds, and removes, by Message-ID. */
  fetch(user: KeyKind): Promise<ReadonlyMap<string, string>>
}

const PASSWORD = 'correct horse battery'
const ARRIVAL_TIMEOUT_MS = 30_000
const AT_ONCE = 6

export const peerAddress = (kind: KeyKind, domain: string): string => `${kind}@${domain}`
export const ourAddress = (kind: KeyKind): string => `${kind}-user@${OUR_DOMAIN}`

export async function startCorrespondence(
  domains: readonly PeerDomain[],
  options: CorrespondenceOptions = {},
): Promise<Correspondence> {
  const stack = new AsyncDisposableStack()
  try {
    const named = domains.filter(({ keyless }) => keyless !== true)
    const addressesOf = (kind: KeyKind): string[] => named.map(({ domain }) => peerAddress(kind, domain))
    const peer = stack.use(await makeCorrespondent({ rsa: addressesOf('rsa'), p256: addressesOf('p256') }))
    const mailExchanger = stack.use(await startScriptedSmtp({}))
    const perDomain = Object.fromEntries(domains.map(({ domain, policy }) => [domain, policy]))
    const routes = { '*': `127.0.0.1:${mailExchanger.port}` }
    const base = { relay: { routes }, policy: { perDomain }, log: { level: 'info' } }
    const provider = stack.use(await makeProvider({ domains: [OUR_DOMAIN], config: { ...base, ...options.config } }))
    const users = await addUsers(provider, peer)
    await provider.cli(['trust', 'add', peer.caFile])
    if (options.strangers !== true)
      for (const { certificateFile } of Object.values(peer.keys)) await provider.cli(['key', 'import', certificateFile])
    const [authority] = await provider.cli(['trust', 'export', OUR_DOMAIN])
    const ourCaFile = join(peer.folder, 'sealpost-ca.pem')
    await writeFile(ourCaFile, String(authority?.['pem']))
    await provider.start()
    const disposing = stack.move()
    return {
      provider,
      peer,
      ourCaFile,
      users,
      addressOf: (kind) => addressesOf(kind)[0] ?? '',
      send: (from, to, message) => send(provider, mailExchanger, from, to, message),
      deliver: (from, to, message) => sendUnauthenticated(provider.ports.mx, from, { to: [ourAddress(to)], message }),
      fetch: (user) => fetchById(provider, user),
      [Symbol.asyncDispose]: () => disposing.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

async function addUsers(provider: Provider, peer: Correspondent): Promise<Correspondence['users']> {
  const users = {} as Record<KeyKind, { address: string; certificateFile: string }>
  const algorithms = { rsa: 'rsa-2048', p256: 'ec-p256' } as const
  for (const kind of ['rsa', 'p256'] as const) {
    await provider.configure({ keys: { algorithm: algorithms[kind] } })
    const address = ourAddress(kind)
    await provider.cli(['user', 'add', address, '--password-stdin'], PASSWORD)
    const [exported] = await provider.cli(['key', 'export', address])
    const certificateFile = join(peer.folder, `our-${kind}.pem`)
    await writeFile(certificateFile, String(exported?.['pem']))
    users[kind] = { address, certificateFile }
  }
  return users
}

async function send(
  provider: Provider,
  mailExchanger: ScriptedSmtp,
  from: KeyKind,
  to: string,
  message: string,
): Promise<Buffer> {
  const before = mailExchanger.messages.length
  const user = ourAddress(from)
  const { reply } = await submit({ port: provider.ports.submission, user, password: PASSWORD, to: [to], message })
  assert.match(reply, /^250 /)
  const messageId = messageIdOf(message)
  const endMs = Date.now() + ARRIVAL_TIMEOUT_MS
  for (;;) {
    const arrived = mailExchanger.messages.slice(before).find((each) => each.includes(messageId))
    if (arrived !== undefined) return unstuffed(arrived)
    assert(
      Date.now() < endMs,
      `${messageId} did not arrive; the log ends with ${JSON.stringify(provider.log.slice(-5))}`,
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** RFC 5321 §4.5.2 */
const unstuffed = (data: Buffer): Buffer =>
  Buffer.from(data.toString('latin1').replace(/^\./, '').replaceAll('\r\n.', '\r\n'), 'latin1')

async function fetchById(provider: Provider, user: KeyKind): Promise<ReadonlyMap<string, string>> {
  const mails = await fetchAll(provider.ports.pop3s, ourAddress(user), PASSWORD, { remove: true })
  return new Map(mails.map((mail) => [messageIdOf(mail.toString('latin1')), mail.toString('utf8')]))
}

function messageIdOf(message: string): string {
  const messageId = /^Message-ID: (.*)\r\n/im.exec(message)?.[1]
  assert(messageId !== undefined, 'a mail without Message-ID cannot be found again')
  return messageId
}

/** Runs `work` on all, a few at a time; results in order. */
export async function eachOf<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const waiting = [...items.entries()]
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) results[next[0]] = await work(next[1])
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return results
}
