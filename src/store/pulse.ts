/** Proves that changes get through to the disk. */
import type { Store } from './database.ts'

/** Changes one row, durably. Rejects for the reason for which any other change would fail now. */
export async function pulse({ commit }: Pick<Store, 'commit'>): Promise<void> {
  await commit((tx) =>
    tx
      .insertInto('changes')
      .values({ noun: 'pulse', count: 1 })
      .onConflict((conflict) => conflict.column('noun').doUpdateSet((eb) => ({ count: eb('changes.count', '+', 1) })))
      .execute(),
  )
}
