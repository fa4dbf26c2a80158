/** Recipients with keys of S/MIME, of OpenPGP and of both: each is written to in one of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CREATED_MS, openpgpIdentity } from '../../test/support/openpgp-identity.ts'
import { smimeIdentity } from '../../test/support/smime-identity.ts'
import { parseAddress } from '../message/address.ts'
import { standardNamed } from '../protection/jobs.ts'
import type { Abilities, Certificate, StandardName } from '../protection/standard.ts'
import { decideOutbound } from './decide-outbound.ts'
import { keysFor } from './recipient-keys.ts'
import type { OutboundPolicy } from './settings.ts'

const SENDER = 'azuma@here.example'
const POLICY: OutboundPolicy = {
  standards: ['smime', 'openpgp'],
  noKey: 'prefer',
  layering: 'auto',
  surrogate: false,
  headerProtection: true,
  subject: 'auto',
  encryption: {},
  weakestCipher: 'aes-128-cbc',
  recipientKeys: 'both',
  autocryptKeys: 'never',
  signing: {},
  revocation: 'prefer',
}
const smime = (name: string): Certificate => smimeIdentity('p256', name).certificate
const openpgp = (name: string): Certificate => openpgpIdentity(name).certificate
const quantum = (name: string): Certificate => openpgpIdentity(name, 'v6-pq').certificate
const both = (name: string): readonly Certificate[] => [smime(name), openpgp(name)]
const OURS = both(SENDER)
const AT_MS = CREATED_MS + 60_000

interface Recipient {
  /** Best first. */
  readonly keys: readonly Certificate[]
  readonly policy?: Partial<OutboundPolicy>
}

function plan(
  recipients: Readonly<Record<string, Recipient>>,
  senderStandards: readonly StandardName[] = ['smime', 'openpgp'],
  ourStandards: readonly StandardName[] = ['smime', 'openpgp'],
) {
  return decideOutbound({
    recipients: Object.entries(recipients).map(([name, { keys, policy }]) => {
      const abilities: Partial<Record<StandardName, Abilities>> = {}
      for (const key of keys) {
        const stated = standardNamed(key.standard).abilitiesOf(key)
        if (stated !== undefined) abilities[key.standard] = stated
      }
      const address = parseAddress(name) ?? assert.fail()
      return { address, certificates: keys, abilities, policy: { ...POLICY, ...policy } }
    }),
    named: Object.keys(recipients).map((name) => parseAddress(name) ?? assert.fail()),
    asked: undefined,
    alreadyProtected: false,
    answers: 'none',
    senderStandards,
    ourStandards,
    atMs: AT_MS,
    senderCertificates: OURS,
  })
}

/** `recipients: standard layering keys` of each copy; then who is refused. */
function told({ copies, refused }: ReturnType<typeof plan>): string[] {
  const name = (text: string): string => text.split('@')[0] ?? ''
  return [
    ...copies.map(({ recipients, protection }) => {
      assert(protection.kind === 'wrapped')
      assert.ok(protection.certificates.every((each) => each.standard === protection.standard))
      const keys = protection.certificates.map((each) => name(each.addresses[0] ?? '')).join('+')
      return `${recipients.map(name).join('+')}: ${protection.standard} ${protection.layering} ${keys}`.trim()
    }),
    ...refused.map(({ address, why }) => `refused ${name(address)}: ${why}`),
  ]
}

const A = 'a@x.example'
const B = 'b@x.example'
const C = 'c@x.example'
const OPENPGP_FIRST = { standards: ['openpgp', 'smime'] } as const
const OPENPGP_ONLY = { standards: ['openpgp'] } as const

const rows: readonly [got: ReturnType<typeof plan>, expected: readonly string[], why: string][] = [
  [
    plan({ [A]: { keys: [smime(A)] }, [B]: { keys: [openpgp(B)] }, [C]: { keys: [] } }),
    ['a: smime sign-encrypt a+azuma', 'b: openpgp sign-encrypt b+azuma', 'c: smime sign'],
    'one form each, the sender’s own key of that standard too',
  ],
  [
    plan({ [A]: { keys: [openpgp(A)] }, [B]: { keys: [openpgp(B)] } }),
    ['a+b: openpgp sign-encrypt a+b+azuma'],
    'those of one standard share a copy',
  ],
  [plan({ [A]: { keys: both(A) } }), ['a: smime sign-encrypt a+azuma'], 'of both kinds, the better one'],
  [plan({ [A]: { keys: both(A).toReversed() } }), ['a: openpgp sign-encrypt a+azuma'], 'whichever that is'],
  [
    plan({ [A]: { keys: both(A), policy: OPENPGP_ONLY } }),
    ['a: openpgp sign-encrypt a+azuma'],
    'never in one that is not to be used',
  ],
  [plan({ [A]: { keys: [smime(A)], policy: OPENPGP_ONLY } }), ['a: openpgp sign'], 'and then as if there were no key'],
  [plan({ [A]: { keys: [], policy: OPENPGP_FIRST } }), ['a: openpgp sign'], 'signed only: in the preferred standard'],
  [plan({ [A]: { keys: [] } }, ['openpgp']), ['a: openpgp sign'], 'or in the one that the sender has'],
  [plan({ [A]: { keys: both(A) } }, ['openpgp']), ['a: openpgp sign-encrypt a+azuma'], 'encrypted: the same'],
  [
    plan({ [A]: { keys: [], policy: OPENPGP_ONLY } }, ['smime']),
    ['refused a: no-key'],
    'nobody to sign: never in clear',
  ],
  [
    plan({ [A]: { keys: [openpgp(A)], policy: { layering: 'triple' } } }),
    ['a: openpgp triple a+azuma'],
    'three layers are two in OpenPGP',
  ],
  [
    plan({ [A]: { keys: both(A), policy: { weakestCipher: 'aes-256-gcm' } } }),
    ['a: openpgp sign-encrypt a+azuma'],
    'the other standard, where only that gives what is demanded',
  ],
  [
    plan({ [A]: { keys: both(A), policy: { recipientKeys: 'post-quantum' } } }),
    ['refused a: classical-key'],
    'refused, where neither does',
  ],
  [
    plan({ [A]: { keys: [smime(A), quantum(A)], policy: { recipientKeys: 'post-quantum' } } }),
    ['a: openpgp sign-encrypt a+azuma'],
    'post-quantum is what an OpenPGP certificate encrypts with, whatever its primary key is',
  ],
  [
    plan({ [A]: { keys: [openpgp(A)] }, [B]: { keys: both(B) }, [C]: { keys: [] } }, ['smime']),
    ['b: smime sign-encrypt b+azuma', 'c: smime sign', 'refused a: no-signing-key'],
    'the sender’s OpenPGP key has run out: never in clear to those who have only such a key',
  ],
  [
    plan({ [A]: { keys: [openpgp(A)] } }, ['smime'], ['smime']),
    ['a: smime sign'],
    'where users have no OpenPGP keys at all, those of others are as good as none',
  ],
  [
    plan({ [A]: { keys: [openpgp(A)], policy: { standards: ['smime'] } } }, ['smime']),
    ['a: smime sign'],
    'and where OpenPGP is not to be used',
  ],
]
for (const [got, expected, why] of rows) test(why, () => assert.deepEqual(told(got), expected))

test('a cipher that is set is that of the standard that has it', () => {
  const set = { encryption: { cipher: 'aes-192-cbc' } } as const
  const ciphers = plan({ [A]: { keys: [smime(A)], policy: set }, [B]: { keys: [openpgp(B)], policy: set } }).copies.map(
    ({ protection }) => protection.kind === 'wrapped' && protection.encryption.cipher,
  )
  assert.deepEqual(ciphers, ['aes-192-cbc', 'aes-256-ocb'])
})

test('of two OpenPGP certificates the newer one is written to', () => {
  const [old, young] = [CREATED_MS, CREATED_MS + 1000].map(
    (createdMs) => openpgpIdentity(A, 'v4', { createdMs }).certificate,
  )
  assert(old !== undefined && young !== undefined)
  assert.deepEqual(keysFor('both', [young, old], AT_MS), [young])
})
