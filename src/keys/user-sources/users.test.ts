/** Users whom somebody else knows: given a row and keys once, marked when they are gone, never mixed up with our own. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { FakeSource, usersWith } from '../../../test/support/fake-source.ts'
import type { Address } from '../../message/address.ts'
import { setAccountStatus } from '../../store/accounts.ts'
import { listAudit } from '../../store/audit.ts'
import { address, openSqliteStore } from '../../store/conformance/fixture.ts'
import { SourceDown } from './user-source.ts'

const AZUMA = address('t-azuma@biglobe.ne.jp')
const ALIAS = address('sales@biglobe.ne.jp')
const provider = async (t: TestContext, ...sources: FakeSource[]) => usersWith(await openSqliteStore(t), ...sources)

test('who asks first makes the keys, and all who ask meanwhile wait for the same', async (t) => {
  const ldap = new FakeSource()
  ldap.add(AZUMA, 'secret', ALIAS)
  const { users, store, privateKeys } = await provider(t, ldap)
  const asked = [AZUMA, ALIAS, address('T-AZUMA@biglobe.ne.jp'), AZUMA].map((each) => users.receiving(each))
  const accounts = await Promise.all([...asked, users.signIn(AZUMA, 'secret')])
  assert.equal(new Set(accounts.map((account) => typeof account === 'object' && account.id)).size, 1)
  assert.equal((await privateKeys.keysOf(AZUMA)).length, 1)
  const rows = await listAudit(store.db, { limit: 100 })
  assert.deepEqual(
    rows.filter(({ operation }) => operation === 'user add').map(({ actor }) => actor),
    ['users:ldap'],
  )
})

test('nobody, and a domain that is not ours: no account, and for the latter nobody is asked', async (t) => {
  const ldap = new FakeSource()
  ldap.add(address('a@abc.com'), 'secret')
  const { users } = await provider(t, ldap)
  assert.equal(await users.receiving(AZUMA), undefined)
  assert.equal(ldap.asked, 1)
  assert.equal(await users.receiving(address('a@abc.com')), undefined)
  assert.equal(await users.signIn(address('a@abc.com'), 'secret'), 'wrong')
  assert.equal(ldap.asked, 1)
})

test('gone there: absent here, with all keys; back there: active again', async (t) => {
  const ldap = new FakeSource()
  ldap.add(AZUMA, 'secret')
  const { users, rowOf, privateKeys } = await provider(t, ldap)
  await users.receiving(AZUMA)
  ldap.people.clear()
  assert.equal(await users.receiving(AZUMA), undefined)
  assert.equal(await users.signIn(AZUMA, 'secret'), 'wrong')
  assert.equal(await rowOf(AZUMA), 'ldap absent')
  assert.equal((await privateKeys.keysOf(AZUMA)).length, 1)
  ldap.add(AZUMA, 'new secret')
  assert.equal(typeof (await users.signIn(AZUMA, 'new secret')), 'object')
  assert.equal(await rowOf(AZUMA), 'ldap active')
})

test('what an administrator has decided stays, whatever the source says', async (t) => {
  const ldap = new FakeSource()
  ldap.add(AZUMA, 'secret')
  const { users, store, rowOf } = await provider(t, ldap)
  await users.receiving(AZUMA)
  await store.commit((tx) => setAccountStatus(tx, AZUMA, 'suspended'))
  assert.equal(await users.signIn(AZUMA, 'secret'), 'wrong')
  assert.equal((await users.receiving(AZUMA))?.status, 'suspended')
  ldap.people.clear()
  assert.equal(await users.receiving(AZUMA), undefined)
  assert.equal(await rowOf(AZUMA), 'ldap suspended')
  await store.commit((tx) => setAccountStatus(tx, AZUMA, 'removed'))
  ldap.add(AZUMA, 'secret')
  assert.equal(await users.receiving(AZUMA), undefined)
  assert.equal(await users.signIn(AZUMA, 'secret'), 'wrong')
})

test('a user of our own table is nobody else, not even by an alias of a directory', async (t) => {
  const ldap = new FakeSource()
  ldap.add(AZUMA, 'of the directory', ALIAS)
  const { users, addOwn, rowOf } = await provider(t, ldap)
  await addOwn(AZUMA, 'of our own')
  assert.equal(await users.signIn(AZUMA, 'of the directory'), 'wrong')
  assert.equal(await users.signIn(ALIAS, 'of the directory'), 'wrong')
  assert.equal(typeof (await users.signIn(AZUMA, 'of our own')), 'object')
  assert.equal(await rowOf(AZUMA), 'table active')
})

test('the first source that knows an address decides; a user may move from one to the other', async (t) => {
  const [file, ldap] = [new FakeSource('file'), new FakeSource()]
  ldap.add(AZUMA, 'of the directory')
  const { users, rowOf } = await provider(t, file, ldap)
  assert.equal(typeof (await users.signIn(AZUMA, 'of the directory')), 'object')
  file.add(AZUMA, 'of the file')
  assert.equal(await users.signIn(AZUMA, 'of the directory'), 'wrong')
  assert.equal(typeof (await users.signIn(AZUMA, 'of the file')), 'object')
  assert.equal(await rowOf(AZUMA), 'file active')
})

test('a source that does not answer says nothing about anybody; our own users do not need it', async (t) => {
  const ldap = new FakeSource()
  ldap.add(AZUMA, 'secret')
  const { users, addOwn, rowOf } = await provider(t, ldap)
  await users.receiving(AZUMA)
  await addOwn(ALIAS, 'of our own')
  ldap.isDown = true
  await assert.rejects(users.receiving(AZUMA), SourceDown)
  assert.equal(await users.signIn(AZUMA, 'secret'), 'unavailable')
  assert.equal(await rowOf(AZUMA), 'ldap active')
  assert.equal((await users.receiving(ALIAS))?.address, ALIAS)
  assert.equal(typeof (await users.signIn(ALIAS, 'of our own')), 'object')
})

test('so many new users at once are served, the rest come back', async (t) => {
  const ldap = new FakeSource()
  const many = Array.from({ length: 60 }, (_each, index) => address(`u${index}@biglobe.ne.jp`))
  for (const each of many) ldap.add(each, 'secret')
  const { users } = await provider(t, ldap)
  const results = await Promise.allSettled(many.map((each) => users.receiving(each)))
  const later = results.filter(({ status }) => status === 'rejected')
  assert.equal(later.length, 60 - 52)
  assert.equal(typeof (await users.receiving(many.at(-1) as Address)), 'object')
})

test('a user whose password was right a moment ago, and who is suspended since, does not come in', async (t) => {
  const { users, store, addOwn } = await provider(t)
  await addOwn(AZUMA, 'secret')
  assert.equal(typeof (await users.signIn(AZUMA, 'secret')), 'object')
  await store.commit((tx) => setAccountStatus(tx, AZUMA, 'suspended'))
  assert.equal(await users.signIn(AZUMA, 'secret'), 'wrong')
})
