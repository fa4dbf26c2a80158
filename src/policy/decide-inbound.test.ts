import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SignatureVerdict } from '../protection/standard.ts'
import { decideInbound } from './decide-inbound.ts'
import type { InboundPolicy } from './settings.ts'

/** The defaults of config/policy-schema.ts. */
const DEFAULTS: InboundPolicy = {
  onTampered: 'refuse',
  onMismatch: 'refuse',
  onUnknownKey: 'deliver',
  onUnsigned: 'deliver',
  onUnprotected: 'deliver',
  onNoPrivateKey: 'deliver',
  onDmarcFail: 'refuse',
  revocation: 'prefer',
}

interface Row {
  readonly signature: SignatureVerdict
  readonly encrypted?: boolean
  readonly sealed?: boolean
  readonly policy?: Partial<InboundPolicy>
}

const rows: readonly [row: Row, decision: string, why: string][] = [
  [{ signature: 'valid' }, 'accept valid', 'signed by the author'],
  [{ signature: 'valid', encrypted: true }, 'accept valid', 'and encrypted'],
  [
    { signature: 'valid', encrypted: true, sealed: true },
    'accept no-private-key as-received',
    'nobody here can open it',
  ],
  [
    { signature: 'valid', encrypted: true, sealed: true, policy: { onNoPrivateKey: 'refuse' } },
    'refuse no-private-key as-received',
    'and the domain takes no such mail',
  ],
  [{ signature: 'invalid' }, 'refuse tampered as-received', 'claim 6'],
  [{ signature: 'invalid', encrypted: true }, 'refuse tampered as-received', 'claim 6, encrypted'],
  [{ signature: 'invalid', policy: { onTampered: 'discard' } }, 'discard tampered as-received', 'claim 3'],
  [{ signature: 'invalid', policy: { onTampered: 'quarantine' } }, 'quarantine tampered as-received', 'kept apart'],
  [
    { signature: 'invalid', policy: { onTampered: 'deliver-marked' } },
    'accept tampered as-received',
    'marked, and nothing of it opened',
  ],
  [{ signature: 'mismatch' }, 'refuse mismatch as-received', 'the signer is not From: as tampered'],
  [{ signature: 'mismatch', policy: { onTampered: 'discard' } }, 'discard mismatch as-received', 'as tampered'],
  [{ signature: 'mismatch', policy: { onTampered: 'quarantine' } }, 'quarantine mismatch as-received', 'as tampered'],
  [
    { signature: 'mismatch', policy: { onMismatch: 'deliver-marked' } },
    'accept mismatch as-received',
    'its own setting comes first',
  ],
  [
    { signature: 'mismatch', policy: { onMismatch: 'deliver-marked', onTampered: 'discard' } },
    'accept mismatch as-received',
    'also before a stricter one for tampered mail',
  ],
  [{ signature: 'revoked' }, 'refuse revoked as-received', 'whatever the policy'],
  [{ signature: 'revoked', policy: { onTampered: 'deliver-marked' } }, 'refuse revoked as-received', 'whatever it is'],
  [{ signature: 'unknown-key' }, 'accept unknown-key', 'delivered and marked'],
  [{ signature: 'unknown-key', policy: { onUnknownKey: 'refuse' } }, 'refuse unknown-key', 'or refused'],
  [{ signature: 'untrusted' }, 'accept not-trusted', 'delivered and marked'],
  [{ signature: 'untrusted', policy: { onUnknownKey: 'refuse' } }, 'refuse not-trusted', 'the same setting'],
  [{ signature: 'expired' }, 'accept not-trusted', 'delivered and marked'],
  [{ signature: 'expired', policy: { onUnknownKey: 'refuse' } }, 'accept not-trusted', 'the key is known'],
  [{ signature: 'none', encrypted: true }, 'accept unsigned', 'encrypted, not signed'],
  [{ signature: 'none', encrypted: true, policy: { onUnsigned: 'refuse' } }, 'refuse unsigned', 'signed mail only'],
  [{ signature: 'none', encrypted: true, sealed: true }, 'accept no-private-key as-received', 'closed'],
  [
    { signature: 'none', encrypted: true, sealed: true, policy: { onUnsigned: 'refuse' } },
    'refuse unsigned',
    'nobody has seen a signature on it',
  ],
  [{ signature: 'none' }, 'accept unprotected', 'plain mail'],
  [{ signature: 'none', policy: { onUnprotected: 'refuse' } }, 'refuse unprotected', 'protected mail only'],
  [{ signature: 'none', policy: { onUnsigned: 'refuse' } }, 'accept unprotected', 'another setting'],
]

for (const [{ signature, encrypted = false, sealed = false, policy }, expected, why] of rows)
  test(`${signature}${encrypted ? ', encrypted' : ''}${sealed ? ', sealed' : ''} ${JSON.stringify(policy ?? {})}: ${why}`, () => {
    const summary = { signature, encrypted, signer: null, reason: null, fields: {}, notes: [] }
    const { action, rule, asReceived } = decideInbound(summary, sealed, { ...DEFAULTS, ...policy })
    assert.equal(`${action} ${rule}${asReceived ? ' as-received' : ''}`, expected)
  })

test('nothing but a valid signature is ever called valid, under no policy', () => {
  const all: Record<keyof InboundPolicy, readonly string[]> = {
    onTampered: ['refuse', 'discard', 'quarantine', 'deliver-marked'],
    onMismatch: ['refuse', 'deliver-marked'],
    onUnknownKey: ['deliver', 'refuse'],
    onUnsigned: ['deliver', 'refuse'],
    onUnprotected: ['deliver', 'refuse'],
    onNoPrivateKey: ['deliver', 'refuse'],
    onDmarcFail: ['refuse', 'quarantine', 'deliver-marked'],
    revocation: ['prefer', 'require', 'off'],
  }
  const policies = Object.entries(all).reduce<Record<string, string>[]>(
    (made, [name, values]) => made.flatMap((policy) => values.map((value) => ({ ...policy, [name]: value }))),
    [{}],
  )
  const verdicts = ['valid', 'none', 'expired', 'untrusted', 'unknown-key', 'mismatch', 'revoked', 'invalid'] as const
  for (const policy of policies)
    for (const signature of verdicts)
      for (const sealed of [true, false]) {
        const summary = { signature, encrypted: true, signer: null, reason: null, fields: {}, notes: [] }
        const decision = decideInbound(summary, sealed, policy as unknown as InboundPolicy)
        if (decision.rule === 'valid') assert.equal(signature, 'valid')
        if (['mismatch', 'revoked', 'invalid'].includes(signature))
          assert(decision.asReceived, 'nothing opened is shown')
      }
})

const unvouched: readonly [
  signature: 'none' | 'valid' | 'expired' | 'invalid',
  asked: 'quarantine' | 'reject',
  onDmarcFail: InboundPolicy['onDmarcFail'],
  expected: string,
  why: string,
][] = [
  ['none', 'reject', 'refuse', 'refuse dmarc', 'as its domain asks'],
  ['none', 'quarantine', 'refuse', 'accept unprotected marked', 'its domain asks for less'],
  ['none', 'reject', 'quarantine', 'quarantine dmarc', 'held'],
  ['none', 'quarantine', 'quarantine', 'quarantine dmarc', 'held'],
  ['none', 'reject', 'deliver-marked', 'accept unprotected marked', 'told'],
  ['valid', 'reject', 'refuse', 'accept valid', "the author's own signature says more"],
  ['expired', 'reject', 'refuse', 'refuse dmarc', 'that signature does not'],
  ['invalid', 'reject', 'deliver-marked', 'refuse tampered', 'changed is changed'],
]

for (const [signature, asked, onDmarcFail, expected, why] of unvouched)
  test(`DMARC ${asked}, ${signature}, ${onDmarcFail}: ${why}`, () => {
    const summary = { signature, encrypted: false, signer: null, reason: null, fields: {}, notes: [] }
    const { action, rule, notVouchedFor } = decideInbound(summary, false, { ...DEFAULTS, onDmarcFail }, asked)
    assert.equal(`${action} ${rule}${notVouchedFor === true ? ' marked' : ''}`, expected)
  })
