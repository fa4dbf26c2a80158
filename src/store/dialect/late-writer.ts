/** What a transaction on a server across the network writes without waiting for each answer. */
import type { CompiledQuery } from 'kysely'
import type { Db } from '../schema.ts'

/** In one statement. */
const ROWS_MAX = 16

export interface RowKind {
  /** Other rows that wait may refer to these by their ids. */
  readonly isReferredTo: boolean
}

export interface LateWriter {
  /** An id of `table`, for a row that is yet to be written. */
  newId(table: string): Promise<number>
  /** Rows of the same `kind` go together, by the statement for as many; before anything else that the transaction asks. */
  insert<Row>(kind: RowKind, statement: (rows: readonly Row[]) => CompiledQuery, row: Row): void
  /** What a statement that has been sent will come to: looked at before the commit counts. */
  later(answer: Promise<unknown>): void
}

const lateWriters = new WeakMap<Db, LateWriter>()

export function setLateWriter(db: Db, writer: LateWriter): void {
  lateWriters.set(db, writer)
}

/** Where statements cost nothing but their work there is none. */
export const lateWriterOf = (db: Db): LateWriter | undefined => lateWriters.get(db)

/**
 * Rows that wait: those that others refer to come first, whoever of the group wrote the first row of a kind. Kinds that are
 * alike in this go in the order in which the first row of each came.
 */
export class WaitingRows {
  readonly #kinds = new Map<
    RowKind,
    { readonly statement: (rows: readonly never[]) => CompiledQuery; rows: unknown[] }
  >()

  add<Row>(kind: RowKind, statement: (rows: readonly Row[]) => CompiledQuery, row: Row): void {
    const known = this.#kinds.get(kind)
    if (known === undefined) this.#kinds.set(kind, { statement, rows: [row] })
    else known.rows.push(row)
  }

  /** The statements that write them; afterwards there are none. */
  take(): CompiledQuery[] {
    const kinds = [...this.#kinds].toSorted(([a], [b]) => Number(b.isReferredTo) - Number(a.isReferredTo))
    const statements = kinds.flatMap(([, { statement, rows }]) =>
      inPowersOfTwo(rows).map((some) => statement(some as never[])),
    )
    this.#kinds.clear()
    return statements
  }
}

/** Pieces for a statement each: of few sizes, so that there are few statements to be parsed. */
export function inPowersOfTwo<Row>(rows: readonly Row[]): Row[][] {
  const pieces: Row[][] = []
  for (let at = 0; at < rows.length; at += pieces.at(-1)?.length ?? 0)
    pieces.push(rows.slice(at, at + Math.min(ROWS_MAX, 2 ** Math.floor(Math.log2(rows.length - at)))))
  return pieces
}
