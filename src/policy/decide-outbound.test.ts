import assert from 'node:assert/strict'
import { test } from 'node:test'
import { smimeIdentity } from '../../test/support/smime-identity.ts'
import { type Address, parseAddress } from '../message/address.ts'
import type { Abilities } from '../protection/standard.ts'
import { type OutboundFacts, type OutboundPlan, decideOutbound } from './decide-outbound.ts'
import type { OutboundPolicy } from './settings.ts'

const NOTHING: Abilities = { ciphers: [], keyTransports: [], signatures: [] }
const SENDER = 'azuma@here.example'
const BASE: Omit<OutboundPolicy, 'surrogate'> = {
  standards: ['smime', 'openpgp'],
  noKey: 'prefer',
  layering: 'auto',
  headerProtection: true,
  subject: 'auto',
  encryption: {},
  weakestCipher: 'aes-128-cbc',
  recipientKeys: 'both',
  autocryptKeys: 'never',
  signing: {},
  revocation: 'prefer',
}

interface Recipient {
  readonly key?: false
  readonly abilities?: Partial<Abilities>
  /** Not in To or Cc. */
  readonly blind?: true
  readonly policy?: Partial<OutboundPolicy>
  readonly statusUnknown?: boolean
  readonly notYetValid?: boolean
}

function address(text: string): Address {
  const parsed = parseAddress(text)
  assert(parsed !== undefined)
  return parsed
}

const certificateOf = (name: string) => smimeIdentity('p256', name).certificate

function plan(recipients: Readonly<Record<string, Recipient>>, more: Partial<OutboundFacts> = {}): OutboundPlan {
  return decideOutbound({
    recipients: Object.entries(recipients).map(
      ([name, { key, abilities, policy, statusUnknown = false, notYetValid = false }]) => ({
        address: address(name),
        certificates: key === false ? [] : [certificateOf(name)],
        statusUnknown,
        notYetValid,
        abilities: abilities === undefined ? {} : { smime: { ...NOTHING, ...abilities } },
        policy: { ...BASE, surrogate: false, ...policy },
      }),
    ),
    named: Object.entries(recipients).flatMap(([name, { blind }]) => (blind === true ? [] : [address(name)])),
    asked: undefined,
    alreadyProtected: false,
    answers: 'none',
    senderStandards: ['smime'],
    ourStandards: ['smime'],
    atMs: Date.now(),
    senderCertificates: [certificateOf(SENDER)],
    ...more,
  })
}

/** `recipients: layering, keys` of each copy, in order; then who is refused. */
function told({ copies, refused }: OutboundPlan): string[] {
  const name = (text: string): string => text.split('@')[0] ?? ''
  return [
    ...copies.map(({ recipients, protection }) => {
      const to = recipients.map(name).join('+')
      if (protection.kind === 'as-is') return `${to}: as it is`
      const keys = protection.certificates.map((each) => name(each.addresses[0] ?? ''))
      return `${to}: ${protection.layering}${keys.length === 0 ? '' : ` ${keys.join('+')}`}`
    }),
    ...refused.map(({ address: whom, why }) => `refused ${name(whom)}: ${why}`),
  ]
}

const A = 'a@x.example'
const B = 'b@x.example'
const C = 'c@y.example'
const REQUIRE = { noKey: 'require' } as const

const rows: readonly [got: OutboundPlan, expected: readonly string[], why: string][] = [
  [plan({ [A]: {} }), ['a: sign-encrypt a+azuma'], 'to a stranger, and to the sender for the Sent copy'],
  [
    plan({ [A]: { policy: { surrogate: true } } }),
    ['a: encrypt-sign a+azuma'],
    'to a surrogate: the order of the patent',
  ],
  [plan({ [A]: { policy: { layering: 'triple', surrogate: true } } }), ['a: triple a+azuma'], 'as it is set'],
  [plan({ [A]: {}, [B]: {} }), ['a+b: sign-encrypt a+b+azuma'], 'To and Cc share one ciphertext'],
  [
    plan({ [A]: {}, [C]: { policy: { surrogate: true } } }),
    ['a: sign-encrypt a+azuma', 'c: encrypt-sign c+azuma'],
    'not across policies',
  ],
  [
    plan({ [A]: {}, [B]: { blind: true } }),
    ['a: sign-encrypt a+azuma', 'b: sign-encrypt b'],
    'a blind copy has one key',
  ],
  [plan({ [A]: { blind: true }, [B]: { blind: true } }), ['a: sign-encrypt a', 'b: sign-encrypt b'], 'each their own'],
  [plan({ [A]: { blind: true, key: false }, [B]: { key: false } }), ['a: sign', 'b: sign'], 'without keys as well'],
  [plan({ [A]: {}, [B]: { key: false } }), ['a: sign-encrypt a+azuma', 'b: sign'], 'prefer: signed only without a key'],
  [
    plan({ [A]: {}, [B]: { key: false, policy: REQUIRE } }),
    ['a: sign-encrypt a+azuma', 'refused b: no-key'],
    'require: refused',
  ],
  [plan({ [A]: { key: false } }, { asked: 'require' }), ['refused a: no-key'], 'the user asked for it'],
  [plan({ [A]: {} }, { asked: 'require' }), ['a: sign-encrypt a+azuma'], 'and there is a key'],
  [
    plan({ [A]: { key: false, policy: REQUIRE } }, { asked: 'prefer' }),
    ['refused a: no-key'],
    'a user cannot ask for less',
  ],
  [plan({ [A]: {} }, { senderCertificates: [] }), ['a: sign-encrypt a'], 'no copy for the sender'],
  [plan({ [SENDER]: {} }), ['azuma: sign-encrypt azuma'], 'a note to oneself names one key once'],
  [
    plan({ [A]: {}, [B]: { blind: true, key: false } }, { alreadyProtected: true }),
    ['a+b: as it is'],
    'protected by the client',
  ],
  [
    plan({ [A]: { key: false, statusUnknown: true }, [B]: { key: false } }),
    ['b: sign', 'refused a: status-unknown'],
    'whose key may be revoked gets nothing in clear, whatever is allowed for those without a key',
  ],
  [
    plan({ [A]: { key: false, notYetValid: true }, [B]: { key: false } }),
    ['b: sign', 'refused a: not-yet-valid'],
    'whose key begins later gets nothing in clear: the clock may be wrong',
  ],
  [plan({ [A]: {} }, { senderStandards: [] }), ['refused a: no-signing-key'], 'nobody to sign: never in clear'],
  [
    plan({ [A]: { abilities: { outerSignature: true } } }),
    ['a: encrypt-sign a+azuma'],
    'learned from the outer signature of their mail',
  ],
  [
    plan({ [A]: { abilities: { outerSignature: true }, policy: { layering: 'sign-encrypt' } } }),
    ['a: sign-encrypt a+azuma'],
    'what is set is not learned',
  ],
  [
    plan({ [A]: { key: false, policy: { recipientKeys: 'post-quantum' } } }),
    ['refused a: no-key'],
    'who must have a post-quantum key gets nothing in clear without any',
  ],
  [
    plan({ [A]: { policy: { recipientKeys: 'post-quantum' } } }),
    ['refused a: classical-key'],
    'nor encrypted to a classical one',
  ],
  [
    plan({
      [A]: { policy: { weakestCipher: 'aes-256-gcm' } },
      [B]: { abilities: { ciphers: ['aes-256-gcm'] }, policy: { weakestCipher: 'aes-256-gcm' } },
    }),
    ['b: sign-encrypt b+azuma', 'refused a: weak-cipher'],
    'never below what is demanded: a stranger is not known to read it',
  ],
  [
    plan({ [A]: { abilities: { ciphers: ['aes-256-gcm'] } }, [B]: {} }),
    ['a: sign-encrypt a+azuma', 'b: sign-encrypt b+azuma'],
    'no cipher that both read: a copy each',
  ],
  [plan({}), [], 'nobody'],
]

for (const [got, expected, why] of rows) test(why, () => assert.deepEqual(told(got), expected))

/** `recipients: cipher, key transport, signature` of each copy. */
const chosen = ({ copies }: OutboundPlan): string[] =>
  copies.map(({ recipients, protection }) => {
    if (protection.kind === 'as-is') return 'as it is'
    const { cipher, keyTransport = 'default' } = protection.encryption
    return `${recipients.join('+')}: ${cipher} ${keyTransport} ${protection.signing.signature ?? 'default'}`
  })

const MODERN: Abilities = {
  ciphers: ['aes-128-cbc', 'aes-256-cbc', 'aes-256-gcm'],
  keyTransports: ['rsa-oaep'],
  signatures: ['rsa-pss'],
}
const CLASSIC: Partial<Abilities> = { ciphers: ['aes-256-cbc', 'aes-128-cbc'] }

const choices: readonly [got: OutboundPlan, expected: readonly string[], why: string][] = [
  [plan({ [A]: {} }), [`${A}: aes-256-cbc default default`], 'to a stranger: what every program reads'],
  [
    plan({ [A]: { abilities: MODERN } }),
    [`${A}: aes-256-gcm rsa-oaep rsa-pss`],
    'the best they read, wherever it stands',
  ],
  [plan({ [A]: { abilities: CLASSIC } }), [`${A}: aes-256-cbc default default`], 'no better than they read'],
  [
    plan({ [A]: { abilities: { ciphers: ['aes-128-cbc'] } } }),
    [`${A}: aes-128-cbc default default`],
    'they read no other',
  ],
  [plan({ [A]: { abilities: {} } }), [`${A}: aes-256-cbc default default`], 'what we do not write lowers nothing'],
  [
    plan({ [A]: { abilities: MODERN }, [B]: { abilities: CLASSIC } }),
    [`${A}+${B}: aes-256-cbc default default`],
    'those who share a copy: what all of them read',
  ],
  [
    plan({ [A]: { abilities: MODERN }, [B]: { abilities: CLASSIC, blind: true } }),
    [`${A}: aes-256-gcm rsa-oaep rsa-pss`, `${B}: aes-256-cbc default default`],
    'a blind recipient lowers nothing for the others',
  ],
  [
    plan({ [A]: { abilities: MODERN, policy: { encryption: { cipher: 'aes-256-cbc', keyTransport: 'rsa-pkcs1' } } } }),
    [`${A}: aes-256-cbc rsa-pkcs1 rsa-pss`],
    'what is set is not chosen',
  ],
  [
    plan({ [A]: { abilities: MODERN }, [B]: { key: false, abilities: MODERN } }),
    [`${A}: aes-256-gcm rsa-oaep rsa-pss`, `${B}: undefined default rsa-pss`],
    'signed only: the signature they verify',
  ],
]

for (const [got, expected, why] of choices) test(`algorithms: ${why}`, () => assert.deepEqual(chosen(got), expected))

test('the Subject is hidden from the wire to those whose own mail has its header inside', () => {
  for (const headerProtection of [true, false]) {
    const [copy] = plan({ [A]: { abilities: { headerProtection } } }).copies
    assert(copy?.protection.kind === 'wrapped')
    assert.equal(copy.protection.confidentiality, headerProtection ? 'baseline' : 'none')
    assert.equal(copy.protection.legacyDisplay, false, 'and needs no second Subject in the text')
  }
})

test('in no plan does a copy that is said to be encrypted lack a key, or a recipient get two copies', () => {
  for (const [got] of rows) {
    const everyone = [...got.copies.flatMap(({ recipients }) => recipients), ...got.refused.map((each) => each.address)]
    assert.equal(new Set(everyone).size, everyone.length)
    for (const { protection } of got.copies)
      if (protection.kind === 'wrapped')
        assert.equal(protection.certificates.length === 0, protection.layering === 'sign')
  }
})

test('what the answered mails have hidden is hidden again, or the recipient refused (RFC 9788 §6.1)', () => {
  const hiding = { subject: 'hidden' } as const
  const showing = { subject: 'visible', headerProtection: false } as const
  const cases: readonly [policy: Partial<OutboundPolicy>, answers: OutboundFacts['answers'], hidden: string][] = [
    [showing, 'none', 'none'],
    [showing, 'baseline', 'baseline'],
    [showing, 'shy', 'shy'],
    [hiding, 'none', 'baseline'],
    [hiding, 'shy', 'shy'],
    [{ subject: 'shy' }, 'baseline', 'shy'],
  ]
  for (const [policy, answers, hidden] of cases) {
    const { copies } = plan({ 'a@abc.com': { policy } }, { answers })
    const [{ protection } = assert.fail()] = copies
    assert(protection.kind === 'wrapped')
    assert.equal(protection.confidentiality, hidden, `${JSON.stringify(policy)} ${answers}`)
    assert.equal(protection.headerProtection, policy.headerProtection !== false || answers !== 'none')
    assert.equal(protection.legacyDisplay, hidden !== 'none')
  }
  const some = plan({ 'a@abc.com': {}, 'b@abc.com': { key: false } }, { answers: 'baseline' })
  assert.deepEqual(some.refused, [{ address: 'b@abc.com', why: 'confidential-answer' }])
  assert.equal(some.copies.length, 1)
  const demanded = plan({ 'b@abc.com': { key: false, policy: { noKey: 'require' } } }, { answers: 'baseline' })
  assert.deepEqual(demanded.refused, [{ address: 'b@abc.com', why: 'no-key' }])
})
