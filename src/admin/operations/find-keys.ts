/** Looks a correspondent's keys up now, as it is done before mail goes out, and says what each source had. */
import type { LookUpAnswer } from '../../keys/find.ts'
import { createNetwork } from '../../keys/network.ts'
import { domainOf } from '../../message/address.ts'
import { audit } from '../../store/audit.ts'
import { type Desk, OperationRefused, needAddress } from '../desk.ts'
import { type ListedKey, listKeys } from './keys.ts'

export interface FoundKeys {
  /** In the order in which they were asked. */
  readonly answers: readonly LookUpAnswer[]
  /** All that is known of the address now. */
  readonly keys: readonly ListedKey[]
}

export async function findKeys(desk: Desk, input: { address: string }): Promise<FoundKeys> {
  const address = needAddress(input.address)
  if (desk.domains.includes(domainOf(address)))
    throw new OperationRefused(`${address} is one of ours: nobody else knows its keys better`)
  // who has asked sees which are held, and needs no notice
  const network = createNetwork({ ...desk, prepareAlarm: () => Promise.resolve(() => Promise.resolve()) })
  try {
    const { answers } = await network.finder.lookUp(address)
    if (answers.length === 0) throw new OperationRefused('Nobody is asked: see "lookup" in the configuration')
    const detail = answers.map(({ source, outcome }) => `${source} ${outcome}`).join(', ')
    const row = { nowMs: desk.clock.nowMs(), actor: desk.actor, operation: 'key find', subject: address, detail }
    await desk.store.commit((tx) => audit(tx, row))
    return { answers, keys: await listKeys(desk, { address }) }
  } finally {
    network.close()
  }
}
