import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type IdentityKind, smimeIdentity } from '../../test/support/smime-identity.ts'
import type { Learned } from '../protection/learn.ts'
import type { TrustLevel } from '../protection/standard.ts'
import { smime } from '../protection/smime/smime.ts'
import { SIGNED_STEP_MS } from '../store/abilities.ts'
import { address, openSqliteStore } from '../store/conformance/fixture.ts'
import { Correspondents, SIGNED_AHEAD_MAX_MS } from './correspondents.ts'
import { PublicKeys } from './public-keys.ts'

const BOB = address('bob@abc.com')
const STATES = { ciphers: ['aes-256-gcm', 'aes-256-cbc'], keyTransports: ['rsa-oaep'], signatures: [] } as const

async function known(t: Parameters<typeof openSqliteStore>[0]) {
  const { store } = await openSqliteStore(t)
  const publicKeys = new PublicKeys(store)
  const correspondents = new Correspondents(store, publicKeys)
  const nowMs = Math.max(Date.now(), smimeIdentity('p256').certificate.notBeforeMs)
  return {
    nowMs,
    learn: (learned: Partial<Learned>) =>
      store.commit((tx) => correspondents.learn(tx, BOB, { standard: 'smime', signedMs: nowMs, ...learned }, nowMs)),
    add: (kind: IdentityKind, trust: TrustLevel) =>
      store.commit((tx) => {
        const { certificate } = smimeIdentity(kind, BOB)
        return publicKeys.add(tx, { address: BOB, certificate, trust, source: 'admin', nowMs })
      }),
    signedMs: async () => (await correspondents.remembered(BOB))[0]?.signedMs,
    abilities: async () => (await correspondents.get(BOB, nowMs)).abilities.smime,
  }
}

test('of a stranger nothing is known; of our own users everything', async (t) => {
  const { add, abilities } = await known(t)
  assert.equal(await abilities(), undefined)
  await add('p256', 'confirmed')
  assert.equal(await abilities(), undefined, 'a certificate that says nothing')
  await add('rsa-2048', 'own')
  assert.deepEqual(await abilities(), smime.abilities)
})

test('a key that only new programs know says what they read, where there is no other key beside it', async (t) => {
  const { add, abilities } = await known(t)
  await add('ml-kem-768', 'confirmed')
  assert.equal((await abilities())?.ciphers[0], 'aes-256-gcm')
  await add('rsa-2048', 'confirmed')
  assert.equal(await abilities(), undefined, 'the device with the old key may have an old program')
})

test('what a mail says counts before what a certificate says, and what it shows is added', async (t) => {
  const { learn, add, abilities, nowMs } = await known(t)
  await add('x25519', 'confirmed')
  await learn({ states: { ...STATES, ciphers: ['aes-128-cbc'] }, outerSignature: true, cipher: 'aes-256-gcm' })
  const found = await abilities()
  assert.deepEqual([found?.ciphers, found?.outerSignature], [['aes-128-cbc', 'aes-256-gcm'], true])
  await learn({ states: STATES, headerProtection: true, signedMs: nowMs + 1 })
  const later = await abilities()
  assert.deepEqual([later?.ciphers, later?.keyTransports], [STATES.ciphers, ['rsa-oaep']])
  assert.deepEqual([later?.outerSignature, later?.headerProtection], [true, true])
})

test('having used a weak cipher is no reason to be written to in one', async (t) => {
  const { learn, abilities } = await known(t)
  await learn({ cipher: 'aes-128-cbc' })
  assert.deepEqual((await abilities())?.ciphers, ['aes-256-cbc', 'aes-128-cbc'])
})

test('a signature from too far in the future teaches nothing', async (t) => {
  const { learn, abilities, nowMs } = await known(t)
  assert.equal(await learn({ states: STATES, signedMs: nowMs + SIGNED_AHEAD_MAX_MS + 1 }), false)
  assert.equal(await abilities(), undefined)
  assert.equal(await learn({ states: STATES, signedMs: nowMs + SIGNED_AHEAD_MAX_MS }), true)
})

test('the same again is written when an hour has passed; anything else at once', async (t) => {
  const { learn, abilities, signedMs, nowMs } = await known(t)
  await learn({ cipher: 'aes-256-cbc', signedMs: nowMs - SIGNED_STEP_MS })
  await learn({ cipher: 'aes-256-cbc', signedMs: nowMs - 1 })
  assert.equal(await signedMs(), nowMs - SIGNED_STEP_MS)
  await learn({ cipher: 'aes-256-cbc', signedMs: nowMs })
  assert.equal(await signedMs(), nowMs)
  assert.equal(await learn({ cipher: 'aes-256-gcm', signedMs: nowMs - 1 }), false, 'signed before it')
  assert.equal(await learn({ cipher: 'aes-256-gcm', signedMs: nowMs + 1 }), true)
  assert.deepEqual((await abilities())?.ciphers, ['aes-256-cbc', 'aes-256-gcm'])
  await learn({ cipher: 'aes-256-gcm', signedMs: nowMs + 1 + SIGNED_STEP_MS })
  assert.equal(await signedMs(), nowMs + 1 + SIGNED_STEP_MS, 'the time of the last one is known, too')
})
