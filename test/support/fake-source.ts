/** Users whom a source in memory knows, on a real store with real keys. */
import assert from 'node:assert/strict'
import type { Desk } from '../../src/admin/desk.ts'
import { TrustAnchors } from '../../src/keys/anchors.ts'
import { Correspondents } from '../../src/keys/correspondents.ts'
import { enrol, establishAuthority } from '../../src/keys/enrol.ts'
import { Passwords } from '../../src/keys/password.ts'
import { PrivateKeys } from '../../src/keys/private-keys.ts'
import { PublicKeys } from '../../src/keys/public-keys.ts'
import { type FoundUser, type Proof, SourceDown, type UserSource } from '../../src/keys/user-sources/user-source.ts'
import { Users } from '../../src/keys/user-sources/users.ts'
import { type Address, addressKey, parseDomain } from '../../src/message/address.ts'
import { findAccount } from '../../src/store/accounts.ts'
import { type Opened, START_MS } from '../../src/store/conformance/fixture.ts'

const NEW_KEYS = { algorithms: ['ec-p256'] as const, openpgp: 'off' as const, validityDays: 365 }

export class FakeSource implements UserSource {
  readonly name
  readonly people = new Map<string, FoundUser & { readonly password: string }>()
  isDown = false
  asked = 0

  constructor(name: UserSource['name'] = 'ldap') {
    this.name = name
  }

  add(person: Address, password: string, ...aliases: Address[]): void {
    for (const each of [person, ...aliases]) this.people.set(addressKey(each), { address: person, password })
  }

  /** Instead of who had the address. */
  addEntry(person: Address, entryId: string | undefined, password = 'secret'): void {
    this.people.set(addressKey(person), { address: person, entryId, password })
  }

  async find(asked: Address): Promise<FoundUser | undefined> {
    this.asked++
    if (this.isDown) throw new SourceDown('nobody answers')
    return this.people.get(addressKey(asked))
  }

  async verify(asked: Address, password: string): Promise<Proof> {
    const user = await this.find(asked)
    if (user === undefined) return { kind: 'nobody' }
    return this.people.get(addressKey(asked))?.password === password ? { kind: 'right', user } : { kind: 'wrong' }
  }

  close(): void {
    this.people.clear()
  }
}

/** Whoever asks for the same store again is another node. */
export async function usersWith({ store, clock }: Pick<Opened, 'store' | 'clock'>, ...sources: FakeSource[]) {
  const domain = parseDomain('biglobe.ne.jp')
  assert.ok(domain)
  const privateKeys = new PrivateKeys(store, clock)
  const publicKeys = new PublicKeys(store)
  const enrolDeps = { store, clock, privateKeys, publicKeys, anchors: new TrustAnchors(store), domains: [domain] }
  await establishAuthority(enrolDeps, { domain, nowMs: START_MS, actor: 'test' })
  const passwords = new Passwords()
  const users = new Users({ ...enrolDeps, passwords, sources, newKeys: NEW_KEYS })
  const addOwn = async (person: Address, password: string) =>
    enrol(enrolDeps, {
      ...NEW_KEYS,
      address: person,
      passwordHash: await passwords.hash(password),
      nowMs: START_MS,
      actor: 'test',
    })
  const rowOf = async (person: Address) => {
    const account = await findAccount(store.db, person)
    return account && `${account.source} ${account.status}`
  }
  const correspondents = new Correspondents(store, publicKeys)
  const config = { mailboxes: { lmtp: null, smtp: null } }
  const desk = { ...enrolDeps, correspondents, config, actor: 'postmaster' } as unknown as Desk
  return { users, store, privateKeys, publicKeys, addOwn, rowOf, desk }
}
