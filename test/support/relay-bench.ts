/** A relay with short time-outs and one route, and mail to send over it. */
import assert from 'node:assert/strict'
import { createDnsClient } from '../../src/base/dns-client.ts'
import { parseAddress, parseDomain, type Address, type Domain } from '../../src/message/address.ts'
import type { OutgoingMail, RecipientResult } from '../../src/protocol/delivery.ts'
import { MxResolver } from '../../src/relay/mx.ts'
import { Relay, type RelayDeps } from '../../src/relay/relay.ts'
import { RELAY_TIMEOUTS, type RelayTimeouts } from '../../src/relay/timeouts.ts'

export const TO = address('b@b.example')
export const OTHER = address('c@b.example')
export const THIRD = address('d@b.example')
export const BODY = 'Subject: x\r\n\r\nhello\r\n'

/** For servers that hang; with others a slow machine would run into them. */
export const QUICK: RelayTimeouts = {
  connectMs: 150,
  greetingMs: 100,
  helloMs: 100,
  commandMs: 150,
  envelopeMs: 300,
  dataBlockMs: 150,
  dataTerminationMs: 150,
  farewellMs: 100,
}

export function address(text_: string): Address {
  const parsed = parseAddress(text_)
  assert.ok(parsed !== undefined)
  return parsed
}

export function mail(changes: Partial<OutgoingMail> = {}): OutgoingMail {
  return {
    messageId: '<1@a.example>',
    mailFrom: address('a@a.example'),
    recipients: paths(TO),
    domain: parseDomain('b.example') as Domain,
    sizeBytes: BODY.length,
    smtpUtf8: false,
    eightBit: false,
    sealed: false,
    tls: 'usual',
    ...changes,
  }
}

export const paths = (...addresses: Address[]): OutgoingMail['recipients'] =>
  addresses.map((to) => ({ address: to, dsn: {} }))

/** Codes and text of a result's reply. */
export function text(result: RecipientResult | undefined): string {
  if (result === undefined) return ''
  const { code, enhanced, lines } = result.reply
  return [String(code), enhanced, lines.join('|')].filter((word) => word !== '').join(' ')
}

export async function* pieces(body: string, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += size) yield Buffer.from(body.slice(at, at + size), 'latin1')
}

/** Its mail for b.example goes to 127.0.0.1:`port`. */
export function relayTo(port: number, changes: Partial<RelayDeps> = {}): Relay & AsyncDisposable {
  const relay = new Relay({
    helo: 'a.example',
    routes: new Map([['b.example', { host: '127.0.0.1', port }]]),
    resolver: new MxResolver({
      ownNames: [],
      isOwnAddress: () => false,
      ask: createDnsClient({}),
      hostsFile: true,
      random: Math.random,
      allowLocalAddresses: true,
    }),
    hopTls: () => 'opportunistic',
    stsPolicy: () => Promise.resolve(undefined),
    clearAllowed: false,
    timeouts: RELAY_TIMEOUTS,
    events: { sessionOpened: () => {}, hostFailed: () => {} },
    ...changes,
  })
  return Object.assign(relay, { [Symbol.asyncDispose]: () => Promise.resolve(relay.close(true)) })
}

/** One attempt with a relay of its own. */
export async function deliver(
  port: number,
  what = mail(),
  content: () => AsyncIterable<Uint8Array> = () => pieces(BODY, 1000),
  changes: Partial<RelayDeps> = {},
): Promise<readonly RecipientResult[]> {
  await using relay = relayTo(port, changes)
  return await relay.deliver(what, content)
}
