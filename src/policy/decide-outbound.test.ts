import assert from 'node:assert/strict'
import { test } from 'node:test'
import { smimeIdentity } from '../../test/support/smime-identity.ts'
import { type Address, parseAddress } from '../message/address.ts'
import { type OutboundFacts, type OutboundPlan, decideOutbound } from './decide-outbound.ts'
import type { OutboundPolicy } from './settings.ts'

const SENDER = 'azuma@here.example'
const BASE: Omit<OutboundPolicy, 'surrogate'> = {
  noKey: 'prefer',
  layering: 'auto',
  headerProtection: true,
  subject: 'auto',
  encryption: {},
  signing: {},
}

interface Recipient {
  readonly key?: false
  /** Not in To or Cc. */
  readonly blind?: true
  readonly policy?: Partial<OutboundPolicy>
}

function address(text: string): Address {
  const parsed = parseAddress(text)
  assert(parsed !== undefined)
  return parsed
}

const certificateOf = (name: string) => smimeIdentity('p256', name).certificate

function plan(recipients: Readonly<Record<string, Recipient>>, more: Partial<OutboundFacts> = {}): OutboundPlan {
  return decideOutbound({
    recipients: Object.entries(recipients).map(([name, { key, policy }]) => ({
      address: address(name),
      certificates: key === false ? [] : [certificateOf(name)],
      policy: { ...BASE, surrogate: false, ...policy },
    })),
    named: Object.entries(recipients).flatMap(([name, { blind }]) => (blind === true ? [] : [address(name)])),
    asked: undefined,
    alreadyProtected: false,
    senderStandards: ['smime'],
    senderCertificate: certificateOf(SENDER),
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
    ...refused.map((each) => `refused ${name(each)}`),
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
    ['a: sign-encrypt a+azuma', 'refused b'],
    'require: refused',
  ],
  [plan({ [A]: { key: false } }, { asked: 'require' }), ['refused a'], 'the user asked for it'],
  [plan({ [A]: {} }, { asked: 'require' }), ['a: sign-encrypt a+azuma'], 'and there is a key'],
  [plan({ [A]: { key: false, policy: REQUIRE } }, { asked: 'prefer' }), ['refused a'], 'a user cannot ask for less'],
  [plan({ [A]: {} }, { senderCertificate: undefined }), ['a: sign-encrypt a'], 'no copy for the sender'],
  [plan({ [SENDER]: {} }), ['azuma: sign-encrypt azuma'], 'a note to oneself names one key once'],
  [
    plan({ [A]: {}, [B]: { blind: true, key: false } }, { alreadyProtected: true }),
    ['a+b: as it is'],
    'protected by the client',
  ],
  [plan({ [A]: {} }, { senderStandards: [] }), ['refused a'], 'nobody to sign: never in clear'],
  [plan({}), [], 'nobody'],
]

for (const [got, expected, why] of rows) test(why, () => assert.deepEqual(told(got), expected))

test('in no plan does a copy that is said to be encrypted lack a key, or a recipient get two copies', () => {
  for (const [got] of rows) {
    const everyone = [...got.copies.flatMap(({ recipients }) => recipients), ...got.refused]
    assert.equal(new Set(everyone).size, everyone.length)
    for (const { protection } of got.copies)
      if (protection.kind === 'wrapped')
        assert.equal(protection.certificates.length === 0, protection.layering === 'sign')
  }
})
