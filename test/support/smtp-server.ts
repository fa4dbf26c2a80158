/** SMTP listeners over an inbox in memory, for tests of the listeners themselves. */
import assert from 'node:assert/strict'
import { parseAddress, parseDomain, type Address, type Domain } from '../../src/message/address.ts'
import { reply, type Reply } from '../../src/protocol/smtp-reply.ts'
import type { ReceivedMail } from '../../src/protocol/smtp-session.ts'
import type { ReceiveLimits } from '../../src/receive/limits.ts'
import type { GuardDeps } from '../../src/receive/guards.ts'
import { mxAgent } from '../../src/receive/mx.ts'
import { startListener, type Listener, type TlsKeys } from '../../src/receive/receive.ts'
import type { Trust } from '../../src/receive/trust.ts'
import { submissionAgent } from '../../src/receive/submission.ts'
import type { DialogListener } from '../dialogs/run-dialogs.ts'
import { testTls } from './pop3-server.ts'

/** Of t-azuma@biglobe.example, the only user. */
export const PASSWORD = 'correct horse'
/** AUTH PLAIN with that name and password. */
export const PLAIN = Buffer.from(`\0t-azuma@biglobe.example\0${PASSWORD}`).toString('base64')

export interface StoredMail extends Omit<ReceivedMail, 'content'> {
  readonly content: string
}

export interface TestSmtp {
  readonly listeners: Readonly<Record<ListenerName, Listener>>
  /** For dialogs. */
  readonly dialogListeners: Readonly<Record<ListenerName, DialogListener>>
  /** Answered with 250, in order. */
  readonly mails: StoredMail[]
  /** Contents that ended early, by the error's message. */
  readonly aborted: string[]
  /** `name detail` of each event. */
  readonly events: string[]
  /** What `accept` does with the whole content; may throw or wait. */
  onAccept: (mail: StoredMail) => Reply | Promise<Reply>
  stop(graceMs?: number): Promise<void>
}

export type ListenerName = 'mx' | 'submission' | 'submissions' | 'strict' | 'front' | 'trusting'

export interface TestSmtpOptions {
  readonly limits?: Partial<ReceiveLimits>
  readonly guards?: GuardDeps
  /** Instead of collecting the content. */
  readonly accept?: (mail: ReceivedMail) => Promise<Reply>
}

/** On `front` and `trusting`: this machine may name others, and it and one of these may send for our users. */
const TRUST: Partial<Trust> = {
  namesClient: (from) => from === '127.0.0.1',
  submits: (from) => from === '127.0.0.1' || from === '192.0.2.9',
}

/**
 * Six listeners: mx; submission, which takes passwords in clear; strict, which does not; submissions, TLS at once; front and
 * trusting: mx and submission for servers of ours in front.
 */
export async function startTestSmtp(options: TestSmtpOptions = {}): Promise<TestSmtp> {
  const mails: StoredMail[] = []
  const aborted: string[] = []
  const events: string[] = []
  const accept = async (mail: ReceivedMail): Promise<Reply> => {
    try {
      const chunks: Uint8Array[] = []
      for await (const chunk of mail.content) chunks.push(chunk)
      const stored = { ...mail, content: Buffer.concat(chunks).toString('latin1') }
      const answer = await test.onAccept(stored)
      if (answer.code === 250) mails.push(stored)
      return answer
    } catch (error) {
      aborted.push(error instanceof Error ? error.message : String(error))
      throw error
    }
  }
  const agents = makeAgents(options.accept ?? accept)
  const start = (agent: keyof typeof agents, more: object = {}): Promise<Listener> =>
    startListener({
      agent: agents[agent],
      host: '127.0.0.1',
      port: 0,
      hostname: domain('mx.biglobe.example'),
      postmaster: address('postmaster@biglobe.example'),
      tls: tlsKeys('test'),
      limits: { loginFailureDelayMs: 5, discardPauseMs: 100, ...options.limits },
      ...(options.guards !== undefined && { guards: options.guards }),
      events: {
        loginSucceeded: ({ name }) => events.push(`loginSucceeded ${name}`),
        loginFailed: ({ name }) => events.push(`loginFailed ${name}`),
        refused: ({ reply: text }) => events.push(`refused ${text}`),
        trouble: ({ during, error }) => events.push(`trouble ${during}: ${String(error)}`),
        connectionFailed: () => events.push('connectionFailed'),
      },
      ...more,
    })
  const listeners = {
    mx: await start('mx'),
    submission: await start('submission', { allowPlainAuthOnLoopback: true }),
    strict: await start('submission'),
    submissions: await start('submission', { implicitTls: true }),
    front: await start('mx', { trust: TRUST }),
    trusting: await start('submission', { trust: TRUST }),
  }
  const port = (name: ListenerName): DialogListener => ({ port: listeners[name].port })
  const test: TestSmtp = {
    listeners,
    dialogListeners: {
      mx: port('mx'),
      submission: port('submission'),
      strict: port('strict'),
      submissions: { ...port('submissions'), tls: true },
      front: port('front'),
      trusting: port('trusting'),
    },
    mails,
    aborted,
    events,
    onAccept: () => reply(250, '2.0.0', 'Queued'),
    async stop(graceMs = 500) {
      await Promise.all(Object.values(listeners).map((listener) => listener.stop(graceMs)))
    },
  }
  return test
}

function makeAgents(
  accept: (mail: ReceivedMail) => Promise<Reply>,
): Record<'mx' | 'submission', Parameters<typeof startListener>[0]['agent']> {
  return {
    mx: mxAgent({
      inbox: { accept },
      isOwnDomain: (of) => of === 'biglobe.example',
      recipientKnown: (to) => {
        if (to === 'later@biglobe.example') return Promise.reject(new Error('the store is down'))
        return Promise.resolve(/^(?:t-azuma|postmaster|u\d+)@/.test(to))
      },
    }),
    submission: submissionAgent({
      inbox: { accept },
      login: (name, password) => {
        if (name === 'later@biglobe.example') return Promise.reject(new Error('the store is down'))
        const right = name === 't-azuma@biglobe.example' && password === PASSWORD
        return Promise.resolve(right ? address(name) : undefined)
      },
      user: (named) => Promise.resolve(named === 't-azuma@biglobe.example' ? named : undefined),
      onRcpt: (_session, to) =>
        Promise.resolve(to.startsWith('no-key@') ? reply(554, '5.7.5', 'Policy requires a key') : undefined),
    }),
  }
}

/** A self-signed pair, the same for the same name. */
export function tlsKeys(name: string): TlsKeys {
  const { keyPem, certificatePem } = testTls(name)
  return { key: keyPem, cert: certificatePem }
}

export function address(text: string): Address {
  const parsed = parseAddress(text)
  assert(parsed !== undefined)
  return parsed
}

export function domain(text: string): Domain {
  const parsed = parseDomain(text)
  assert(parsed !== undefined)
  return parsed
}
