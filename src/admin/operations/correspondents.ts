/** What is remembered of the programs of those whom our users write to. */
import type { Remembered } from '../../keys/correspondents.ts'
import { audit } from '../../store/audit.ts'
import { type Desk, OperationRefused, needAddress } from '../desk.ts'

/** Of one address, or of all. */
export function listCorrespondents(
  desk: Desk,
  input: { address?: string | undefined },
): Promise<readonly Remembered[]> {
  return desk.correspondents.remembered(input.address === undefined ? undefined : needAddress(input.address))
}

/** The next mail to them is as to a stranger, until they sign one again. */
export async function forgetCorrespondent(desk: Desk, input: { address: string }): Promise<void> {
  const address = needAddress(input.address)
  const nowMs = desk.clock.nowMs()
  await desk.store.commit(async (tx) => {
    if ((await desk.correspondents.forget(tx, address)) === 0)
      throw new OperationRefused(`Nothing is remembered of ${address}`)
    await audit(tx, { nowMs, actor: desk.actor, operation: 'correspondent forget', subject: address, detail: '' })
  })
}
