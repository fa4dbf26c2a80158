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
  /** What told `#generation` apart from the one before: the mark of others' commits, and our own. */
  #seen: readonly [others: number, noted: number] = [-1, -1]
  #generation = 0
  #counts = new Map<string, number>()
  /** The generation that `#counts` was read in. */
  #countsOf = -1
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
   * Another number whenever anything that is cached somewhere may have changed; the same one after a commit of ours that notes
   * nothing. For what is made of many nouns; ask before reading.
   */
  generation(): number {
    const [others, noted] = [this.#lookAtOthers(), this.#noted]
    if (others !== this.#seen[0] || noted !== this.#seen[1]) {
      this.#seen = [others, noted]
      this.#generation++
    }
    return this.#generation
  }

  /**
   * A number that grows whenever `noun` has changed; no promise where it is known. Ask before reading, cache under the answer,
   * and forget the cache when the answer differs: so a cache is never older than anything that this process can have heard of
   * another's commit.
   */
  of(noun: CachedNoun): number | Promise<number> {
    const generation = this.generation()
    return generation === this.#countsOf ? this.#countOf(noun) : this.#read(noun, generation)
  }

  async #read(noun: CachedNoun, generation: number): Promise<number> {
    const rows = await this.#dialect.reader.selectFrom('changes').selectAll().execute()
    this.#counts = new Map(rows.map((row) => [row.noun, row.count]))
    this.#countsOf = generation
    return this.#countOf(noun)
  }

  #countOf(noun: CachedNoun): number {
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
