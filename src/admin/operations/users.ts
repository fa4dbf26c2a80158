/** Registration (S1, S2, S4): who has an address here. */
import { randomBytes } from 'node:crypto'
import { enrol } from '../../keys/enrol.ts'
import { acceptablePassword } from '../../keys/password.ts'
import { type Address, domainOf } from '../../message/address.ts'
import type { Certificate } from '../../protection/standard.ts'
import { type Account, type AccountStatus, listAccounts, setAccountStatus } from '../../store/accounts.ts'
import { audit } from '../../store/audit.ts'
import { type Desk, OperationRefused, needAddress } from '../desk.ts'

/** 96 random bits, in hex digits: read over the telephone, and taken by every program's command line. */
const PASSWORD_BYTES = 12

export interface KeyNote {
  readonly standard: string
  readonly algorithm: string
  readonly fingerprint: string
}

export interface NewUser {
  readonly address: Address
  /** Shown once; only its hash is kept. */
  readonly password: string
  readonly keys: readonly KeyNote[]
}

/** Gives out the address, makes the keys. Without a password one is made up. */
export async function addUser(desk: Desk, input: { address: string; password?: string | undefined }): Promise<NewUser> {
  const address = needAddress(input.address)
  const password = input.password ?? randomBytes(PASSWORD_BYTES).toString('hex')
  if (!acceptablePassword(password)) throw new OperationRefused('The password is empty or too long')
  const { algorithm: algorithms, openpgp, certificateValidityDays } = desk.config.keys
  const enrolled = await enrol(desk, {
    address,
    algorithms,
    openpgp,
    validityDays: certificateValidityDays,
    nowMs: desk.clock.nowMs(),
    actor: desk.actor,
    passwordHash: await desk.passwords.hash(password),
  })
  if (enrolled.ok)
    return { address: enrolled.value.account.address, password, keys: enrolled.value.certificates.map(keyNote) }
  switch (enrolled.error) {
    case 'not-our-domain':
      throw new OperationRefused(`${domainOf(address)} is not one of our domains (${desk.domains.join(', ')})`)
    case 'taken':
      throw new OperationRefused(`${address} is given out already; an address is never given to somebody else`)
    case 'no-such-user':
      throw new OperationRefused(`There is no user ${address}`)
  }
}

export const keyNote = ({ standard, algorithm, fingerprint }: Certificate): KeyNote => ({
  standard,
  algorithm,
  fingerprint,
})

export function listUsers(desk: Desk): Promise<readonly Account[]> {
  return listAccounts(desk.store.db)
}

/** `suspended`: no sign-in, mail is still taken. `removed`: no sign-in, no mail; keys and address are kept for ever. */
export async function setUserStatus(desk: Desk, input: { address: string; status: AccountStatus }): Promise<Address> {
  const address = needAddress(input.address)
  const { status } = input
  await desk.store.commit(async (tx) => {
    if (!(await setAccountStatus(tx, address, status))) throw new OperationRefused(`There is no user ${address}`)
    await audit(tx, {
      nowMs: desk.clock.nowMs(),
      actor: desk.actor,
      operation: `user ${status}`,
      subject: address,
      detail: '',
    })
  })
  return address
}
