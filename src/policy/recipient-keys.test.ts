import assert from 'node:assert/strict'
import { test } from 'node:test'
import { smimeIdentity } from '../../test/support/smime-identity.ts'
import { keysFor } from './recipient-keys.ts'
import type { RecipientKeys } from './settings.ts'

const kinds = { rsa: 'rsa-2048', ec: 'p256', kem: 'ml-kem-768' } as const
type Kind = keyof typeof kinds

const rows: readonly [wanted: RecipientKeys, known: readonly Kind[], used: readonly Kind[]][] = [
  ['both', ['rsa', 'ec', 'kem'], ['kem', 'rsa']],
  ['both', ['ec', 'rsa'], ['ec']],
  ['both', ['kem'], ['kem']],
  ['strongest', ['rsa', 'kem'], ['kem']],
  ['strongest', ['rsa', 'ec'], ['rsa']],
  ['post-quantum', ['rsa', 'kem'], ['kem']],
  ['post-quantum', ['rsa'], []],
]

for (const [wanted, known, used] of rows)
  test(`${wanted} of ${known.join(', ')}: ${used.join(', ') || 'none'}`, () => {
    const of = (kind: Kind) => smimeIdentity(kinds[kind]).certificate
    assert.deepEqual(
      keysFor(wanted, known.map(of), Date.now()).map((each) => each.algorithm),
      used.map((kind) => of(kind).algorithm),
    )
  })
