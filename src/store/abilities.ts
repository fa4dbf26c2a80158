/** What is known of the programs of correspondents: one row for each fact, and when they signed what showed it. */
import type { Selectable } from 'kysely'
import { type Address, addressKey } from '../message/address.ts'
import type { StandardName } from '../protection/standard.ts'
import { noteChange } from './changes.ts'
import type { AbilitiesTable, AbilityFact, Db, Tx } from './schema.ts'

export interface AbilityRow {
  readonly address: Address
  readonly standard: StandardName
  readonly fact: AbilityFact
  /** As `keepAbilities` was given it. */
  readonly value: unknown
  readonly signedMs: number
  readonly learnedMs: number
}

/** Whose every mail shows the same: that they still do is noted when this much has passed since it was noted last. */
export const SIGNED_STEP_MS = 60 * 60_000

/** What a mail has shown of its author's program. */
export interface Shown {
  readonly address: Address
  readonly standard: StandardName
  readonly facts: Readonly<Partial<Record<AbilityFact, unknown>>>
  readonly signedMs: number
  readonly nowMs: number
}

/** Whether it is worth keeping beside `rows`, those of the address. */
export function isNews(rows: readonly AbilityRow[], { standard, facts, signedMs }: Shown): boolean {
  return Object.entries(facts).some(([fact, value]) => {
    const row = rows.find((each) => each.standard === standard && each.fact === fact)
    if (row === undefined) return true
    if (!replaces(row.fact, signedMs, row.signedMs)) return false
    return signedMs >= row.signedMs + SIGNED_STEP_MS || JSON.stringify(value) !== JSON.stringify(row.value)
  })
}

/**
 * Of mail of one second the first counts where it is signed (RFC 8551 §2.7.1), and the last where an Autocrypt field says it
 * (Autocrypt Level 1, release 1.1: only mail older than what is known changes nothing).
 */
function replaces(fact: AbilityFact, signedMs: number, beforeMs: number): boolean {
  const isAutocrypt = fact === 'autocrypt' || fact === 'autocrypt-authenticated'
  return isAutocrypt ? signedMs >= beforeMs : signedMs > beforeMs
}

/**
 * Each fact replaces the one that was signed earlier; what was signed earlier than it changes nothing.
 * Returns whether something is known now that was not, or differently.
 */
export async function keepAbilities(tx: Tx, shown: Shown): Promise<boolean> {
  const { address, standard, signedMs, nowMs } = shown
  const key = addressKey(address)
  const before = await tx
    .selectFrom('abilities')
    .select(['fact', 'value', 'signed_ms'])
    .where('address_key', '=', key)
    .where('standard', '=', standard)
    .execute()
  const rows = Object.entries(shown.facts).flatMap(([name, known]) => {
    const fact = name as AbilityFact
    const value = JSON.stringify(known)
    const old = before.find((row) => row.fact === fact)
    if (old !== undefined && !replaces(fact, signedMs, old.signed_ms)) return []
    const row = { address, address_key: key, standard, fact, value, signed_ms: signedMs, learned_ms: nowMs }
    return [{ row, changed: old?.value !== value }]
  })
  if (rows.length === 0) return false
  await tx
    .insertInto('abilities')
    .values(rows.map(({ row }) => row))
    .onConflict((conflict) =>
      conflict.columns(['address_key', 'standard', 'fact']).doUpdateSet((eb) => ({
        address: eb.ref('excluded.address'),
        value: eb.ref('excluded.value'),
        signed_ms: eb.ref('excluded.signed_ms'),
        learned_ms: eb.ref('excluded.learned_ms'),
      })),
    )
    .execute()
  const changed = rows.some((each) => each.changed)
  if (changed) await noteChange(tx, 'abilities')
  return changed
}

export async function abilitiesOf(db: Db, address: Address): Promise<readonly AbilityRow[]> {
  const query = db.selectFrom('abilities').selectAll().where('address_key', '=', addressKey(address))
  return (await query.orderBy('id').execute()).map(toRow)
}

/** Of everybody, by address. */
export async function listAbilities(db: Db): Promise<readonly AbilityRow[]> {
  const query = db.selectFrom('abilities').selectAll().orderBy('address_key').orderBy('id')
  return (await query.execute()).map(toRow)
}

/** Returns how many facts are forgotten. */
export async function forgetAbilities(tx: Tx, address: Address): Promise<number> {
  const rows = await tx.deleteFrom('abilities').where('address_key', '=', addressKey(address)).returning('id').execute()
  if (rows.length > 0) await noteChange(tx, 'abilities')
  return rows.length
}

const toRow = ({ address, standard, fact, value, signed_ms, learned_ms }: Selectable<AbilitiesTable>): AbilityRow => ({
  address,
  standard,
  fact,
  value: JSON.parse(value) as unknown,
  signedMs: signed_ms,
  learnedMs: learned_ms,
})
