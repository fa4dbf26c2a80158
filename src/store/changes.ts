/** Lets caches notice changes, by whatever process: a counter for each cached noun, raised in the changing transaction. */
import type { Dialect } from './dialect/dialect.ts'
import type { Tx } from './schema.ts'
import { aftermathOf } from './transaction.ts'

/** What is cached in memory somewhere. `queue-retries`: which domains are to be left alone for a while. */
export type CachedNoun =
  'accounts' | 'certificates' | 'anchors' | 'private-keys' | 'dkim-keys' | 'abilities' | 'queue-retries'

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
  /** The mark of others' commits; `undefined` when it has to be looked up again. */
  #othersMark: number | undefined

  constructor(dialect: Dialect) {
    this.#dialect = dialect
  }

  /** A commit of this process has noted a change. */
  noted(): void {
    this.#noted++
  }

  /**
   * A number that grows whenever `noun` has changed. Ask before reading, cache under the answer, and forget the cache when
   * the answer differs: so a cache is never older than anything that this process can have heard of another's commit.
   */
  async of(noun: CachedNoun): Promise<number> {
    const [others, noted] = [this.#lookAtOthers(), this.#noted]
    if (others !== this.#readAt[0] || noted !== this.#readAt[1]) {
      const rows = await this.#dialect.reader.selectFrom('changes').selectAll().execute()
      this.#counts = new Map(rows.map((row) => [row.noun, row.count]))
      this.#readAt = [others, noted]
    }
    return this.#counts.get(noun) ?? 0
  }

  /**
   * Once for each callback of the event loop, with the promises that settle in it: one mail asks a dozen times. Of others'
   * commits nothing is heard meanwhile, for sockets, files and signals speak in callbacks of their own.
   */
  #lookAtOthers(): number {
    if (this.#othersMark === undefined) {
      this.#othersMark = this.#dialect.othersMark()
      process.nextTick(() => (this.#othersMark = undefined)) // runs when the callback, or all its promises, are through
    }
    return this.#othersMark
  }
}
