import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuMsUntil } from '../../test/support/cpu-time.ts'
import { acceptablePassword, needsNewHash, PASSWORD_MAX_BYTES, Passwords } from './password.ts'

/** From the reference implementation's test.c: `password`, `somesalt`. */
const REFERENCE = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'

test('a hash of ours is verified, and two of one password differ', async () => {
  const passwords = new Passwords()
  const [one, two] = await Promise.all([passwords.hash('correct horse'), passwords.hash('correct horse')])
  assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  assert.notEqual(one, two)
  assert.equal(await passwords.verify('correct horse', one), 'right')
  assert.equal(await passwords.verify('correct hors', one), 'wrong')
  assert.equal(needsNewHash(one), false)
})

test('who was right a moment ago costs no work, wherever the place in the queue; who was wrong always does', async () => {
  const passwords = new Passwords()
  const hash = await passwords.hash('correct horse')
  assert.equal(await passwords.verify('correct horse', hash), 'right')
  const order: string[] = []
  const say = (name: string, verdict: Promise<unknown>) => verdict.then(() => order.push(name))
  const wrongs = Array.from({ length: 4 }, () => say('wrong', passwords.verify('correct hors', hash)))
  await Promise.all([...wrongs, say('right', passwords.verify('correct horse', hash))])
  assert.deepEqual(order, ['right', 'wrong', 'wrong', 'wrong', 'wrong'])
})

test('a hash of the reference implementation is verified, and due for a new one', async () => {
  const passwords = new Passwords()
  assert.equal(await passwords.verify('password', REFERENCE), 'right')
  assert.equal(await passwords.verify('Password', REFERENCE), 'wrong')
  assert.equal(needsNewHash(REFERENCE), true)
})

const wrong: readonly [hash: string | undefined, why: string][] = [
  [undefined, 'no such user'],
  ['', 'an empty hash'],
  ['password', 'the password itself'],
  [REFERENCE.replace('argon2id', 'argon2i'), 'another algorithm'],
  [REFERENCE.replace('v=19', 'v=16'), 'an old version'],
  [REFERENCE.replace('m=65536', 'm=99999999'), 'more memory than there is'],
  [REFERENCE.replace('t=2', 't=999'), 'more passes than anybody waits for'],
  [REFERENCE.replace('p=1', 'p=0'), 'no lanes'],
  [`${REFERENCE} `, 'something behind it'],
]
for (const [hash, why] of wrong)
  test(`wrong, and as slow as a real one: ${why}`, async () => {
    const passwords = new Passwords()
    assert.equal(await passwords.verify('password', hash), 'wrong')
    assert.equal(await passwords.verify('', hash), 'wrong')
  })

test('an unknown user costs the same work', async () => {
  const passwords = new Passwords()
  const known = await passwords.hash('secret')
  const workOf = (hash: string | undefined): Promise<number> =>
    cpuMsUntil(async () => {
      for (let turn = 0; turn < 5; turn++) await passwords.verify('guess', hash)
    })
  await workOf(known)
  const ratio = (await workOf(undefined)) / (await workOf(known))
  assert.ok(ratio > 0.3 && ratio < 3, `ratio ${ratio}`)
})

test('the same characters typed on another keyboard are the same password (RFC 8265)', async () => {
  const passwords = new Passwords()
  const hash = await passwords.hash('Zu\u0308rich\u3000 7')
  assert.equal(await passwords.verify('Zürich  7', hash), 'right')
  assert.equal(await passwords.verify('zürich  7', hash), 'wrong')
})

test('empty and overlong passwords', async () => {
  assert.equal(acceptablePassword(''), false)
  assert.equal(acceptablePassword('x'.repeat(PASSWORD_MAX_BYTES)), true)
  assert.equal(acceptablePassword('x'.repeat(PASSWORD_MAX_BYTES + 1)), false)
  const passwords = new Passwords()
  await assert.rejects(passwords.hash(''))
  assert.equal(await passwords.verify('x'.repeat(2 ** 20), REFERENCE), 'wrong')
})

test('a flood is told to come back, and then served again', async () => {
  const passwords = new Passwords()
  const cheap = '$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'
  const verdicts = await Promise.all(Array.from({ length: 300 }, () => passwords.verify('x', cheap)))
  assert.ok(verdicts.includes('busy'))
  assert.ok(verdicts.filter((verdict) => verdict === 'wrong').length >= 200)
  assert.equal(await passwords.verify('x', cheap), 'wrong')
})
