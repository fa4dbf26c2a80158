/** Lets caches notice changes, by whatever process: a counter for each cached noun, raised in the changing transaction. */
import type { Dialect } from './dialect/dialect.ts'
import type { Tx } from './schema.ts'
import { aftermathOf } from './transaction.ts'

/** What is cached in memory somewhere. */
export type CachedNoun = 'accounts' | 'certificates' | 'anchors' | 'private-keys' | 'dkim-keys' | 'abilities'

/** Makes caches of `noun` forget, in this process and in others, once the transaction is committed. */
export async function noteChange(tx: Tx, noun: CachedNoun): Promise<void> {
  await tx
    .insertInto('changes')
    .values({ noun, count: 1 })
    .onConflict((conflict) => conflict.column('noun').doUpdateSet((eb) => ({ count: eb('changes.count', '+', 1) })))
    .execute()
  aftermathOf(tx).noted = true
}

export class Changes {
  readonly #dialect: Dialect
  /** Commits of this process that have noted a change. */
  #noted = 0
  /** What `#counts` was read at: the mark of others' commits, and our own. */
  #readAt: readonly [others: number, noted: number] = [-1, -1]
  #counts = new Map<string, number>()

  constructor(dialect: Dialect) {
    this.#dialect = dialect
  }

  /** A commit of this process has noted a change. */
  noted(): void {
    this.#noted++
  }

  /**
   * A number that grows whenever `noun` has changed. Ask before reading, cache under the answer, and forget the cache when
   * the answer differs: so a cache is never older than the moment it was asked. Costs microseconds while nothing is noted.
   */
  async of(noun: CachedNoun): Promise<number> {
    const [others, noted] = [this.#dialect.othersMark(), this.#noted]
    if (others !== this.#readAt[0] || noted !== this.#readAt[1]) {
      const rows = await this.#dialect.reader.selectFrom('changes').selectAll().execute()
      this.#counts = new Map(rows.map((row) => [row.noun, row.count]))
      this.#readAt = [others, noted]
    }
    return this.#counts.get(noun) ?? 0
  }
}
