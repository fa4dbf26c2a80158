/** Whom a mail is returned to that the mail store refuses after our 250. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Authentication } from '../authentication/authenticate.ts'
import { type Address, parseAddress } from '../message/address.ts'
import type { FinishedBytes } from '../store/bytes/bytes-writer.ts'
import type { BytesId } from '../store/schema.ts'
import type { Decided, Settling } from './settle-inbound.ts'
import { mailStoreItem } from './to-mail-store.ts'

const reader = parseAddress('b@here.example') as Address
const author = parseAddress('a@there.example') as Address

interface Case {
  readonly mailFrom?: Address | ''
  readonly by?: 'mx' | 'local'
  readonly signature?: string
  readonly signer?: string | null
  readonly spf?: Partial<Authentication['spf']>
  readonly dkimDomain?: string
}

function itemOf({ mailFrom = author, by = 'mx', signature = 'none', signer = null, spf, dkimDomain }: Case) {
  const authentication = {
    spf: { result: 'none', identity: 'mailfrom', domain: 'there.example', ...spf },
    dkim: dkimDomain === undefined ? [] : [{ result: 'pass', domain: dkimDomain }],
  }
  const wishes = new Map([[reader, { notify: 'FAILURE,DELAY', envid: 'e' }]])
  const incoming = { mailFrom, origin: { by }, nowMs: 1, wishes }
  const settling = { incoming, mail: { messageId: '<1@there.example>' }, authentication } as unknown as Settling
  const each = { address: reader, account: { address: reader }, report: { summary: { signature, signer } } }
  const bytes: FinishedBytes = {
    sizeBytes: 1,
    dataKeyId: 1,
    place: { kind: 'inline', sealed: new Uint8Array(1), plain: Buffer.from('é') },
  }
  return mailStoreItem(settling, each as unknown as Decided, bytes, 7 as BytesId)
}

const cases: readonly [why: string, what: Case, isTold: boolean][] = [
  ['our own user, who has signed in', { by: 'local' }, true],
  ['a stranger', {}, false],
  [
    'nobody: the null reverse-path',
    { mailFrom: '', signature: 'valid', signer: author, spf: { result: 'pass' } },
    false,
  ],
  ['SPF names the client for MAIL FROM', { spf: { result: 'pass' } }, true],
  ['SPF names the client for HELO only', { spf: { result: 'pass', identity: 'helo' } }, false],
  ['SPF says no', { spf: { result: 'softfail' } }, false],
  ['DKIM of the domain of MAIL FROM', { dkimDomain: 'there.example' }, true],
  ['DKIM of another domain', { dkimDomain: 'else.example' }, false],
  ['a valid signature by MAIL FROM', { signature: 'valid', signer: 'A@There.example' }, true],
  ['a valid signature by somebody else', { signature: 'valid', signer: 'c@there.example' }, false],
  ['a signature that proves nothing', { signature: 'untrusted', signer: author }, false],
]
for (const [why, what, isTold] of cases)
  test(`refused by the mail store, ${isTold ? 'told' : 'not told'}: ${why}`, () => {
    assert.deepEqual(itemOf(what).dsn, isTold ? { notify: 'FAILURE,DELAY', envid: 'e' } : { notify: 'NEVER' })
  })

test('what is on its way to the mail store is marked as opened, and announced as 8-bit when it is', () => {
  const { bodyKind, eightBit, smtpUtf8, bytesId, domain, messageId } = itemOf({})
  assert.deepEqual(
    { bodyKind, eightBit, smtpUtf8, bytesId, domain, messageId },
    {
      bodyKind: 'opened',
      eightBit: true,
      smtpUtf8: false,
      bytesId: 7,
      domain: 'here.example',
      messageId: '<1@there.example>',
    },
  )
})
