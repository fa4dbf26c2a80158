/** Queries of the mail's way, built and compiled once: later calls only bind values. */
import type { Compilable, CompiledQuery, Insertable } from 'kysely'
import { inPowersOfTwo, lateWriterOf, type RowKind } from './dialect/late-writer.ts'
import type { Db, Schema, Tx } from './schema.ts'

/** Of the tables that take new rows late, those with a foreign key in another. */
const REFERRED_TO: ReadonlySet<keyof Schema> = new Set(['bytes'])

/** Stands in a query for the value of that name, which each call brings. */
export type Param<Values> = <Name extends keyof Values & string>(name: Name) => Values[Name]

/**
 * Several at once reach the database in the order in which they were called; a server on the network gets them without
 * waiting for each answer. `build` runs once for each connection. A value that it does not take from its `Param` is the same in every call; what
 * differs in its number, as a list does, has no place here.
 */
export function prepared<Values extends object, Row>(
  build: (db: Db, param: Param<Values>) => Compilable<Row>,
): (db: Db, values: Values) => Promise<Row[]> {
  const bound = boundBy(build)
  return async (db, values) => (await db.executeQuery<Row>(bound(db, values))).rows
}

/** As `prepared`, of rows with any number of ids: a few statements for all of them. */
export function preparedOfIds<Id extends number, Row>(
  build: (db: Db, ids: readonly Id[]) => Compilable<Row>,
): (db: Db, ids: readonly Id[]) => Promise<Row[]> {
  const ofSize = bySize((size) =>
    boundBy<readonly Id[], Row>((db) =>
      build(
        db,
        countTo(size).map((at) => new Placeholder(at) as unknown as Id),
      ),
    ),
  )
  return async (db, ids) => {
    const asked = inPowersOfTwo(ids).map((some) => db.executeQuery<Row>(ofSize(some.length)(db, some)))
    return (await Promise.all(asked)).flatMap(({ rows }) => rows)
  }
}

/** As `prepared`, where nobody waits for the answer: what is wrong is said before the commit. */
export function preparedLate<Values extends object, Row>(
  build: (db: Db, param: Param<Values>) => Compilable<Row>,
): (tx: Tx, values: Values) => Promise<void> {
  const bound = boundBy(build)
  return async (tx, values) => {
    const late = lateWriterOf(tx)
    const answer = tx.executeQuery<Row>(bound(tx, values))
    if (late === undefined) await answer
    else late.later(answer)
  }
}

/**
 * New rows of a table. Whatever the transaction asks for next finds them; until then they wait for others of their kind and
 * share a statement, where statements cost time. What is wrong with one is said before the commit.
 */
export function preparedInsert<Table extends keyof Schema, Values extends object>(
  table: Table,
  columns: (row: Param<Values>) => Insertable<Schema[Table]>,
): (tx: Tx, values: Values) => Promise<void> {
  const rows = new RowsInsert<Values>(table, columns)
  return async (tx, values) => {
    const late = lateWriterOf(tx)
    if (late === undefined) await tx.executeQuery(rows.statement(tx, [values]))
    else late.insert(rows, (some) => rows.statement(tx, some), values)
  }
}

/** As `preparedInsert`; each row's id, which is known at once. */
export function preparedInsertWithId<Table extends keyof Schema, Values extends object, Id extends number>(
  table: Table,
  columns: (row: Param<Values>) => Insertable<Schema[Table]>,
): (tx: Tx, values: Values) => Promise<Id> {
  const insert = prepared<Values, { id: Id }>((db, row) =>
    db
      .insertInto(table)
      .values(columns(row))
      .returning('id' as never),
  )
  const rows = new RowsInsert<Values & { readonly id: number }>(table, (row) => ({ ...columns(row), id: row('id') }))
  return async (tx, values) => {
    const late = lateWriterOf(tx)
    if (late === undefined) return ((await insert(tx, values))[0] as { id: Id }).id
    const id = await late.newId(table)
    late.insert(rows, (some) => rows.statement(tx, some), { ...values, id })
    return id as Id
  }
}

/** One statement for as many rows as there are. */
class RowsInsert<Values extends object> implements RowKind {
  readonly isReferredTo: boolean
  readonly statement: (db: Db, rows: readonly Values[]) => CompiledQuery

  constructor(table: keyof Schema, columns: (row: Param<Values>) => object) {
    this.isReferredTo = REFERRED_TO.has(table)
    const ofSize = bySize((size) =>
      boundBy<readonly Values[], unknown>((db) =>
        db.insertInto(table).values(countTo(size).map((at) => columns((name) => new Placeholder(name, at) as never))),
      ),
    )
    this.statement = (db, rows) => ofSize(rows.length)(db, rows)
  }
}

/** Compiles once for each connection, binds for each call. */
function boundBy<Values extends object, Row>(
  build: (db: Db, param: Param<Values>) => Compilable<Row>,
): (db: Db, values: Values) => CompiledQuery<Row> {
  const compiled = new WeakMap<Db, CompiledQuery<Row>>()
  return (db, values) => {
    let query = compiled.get(db)
    if (query === undefined) {
      query = build(db, ((name: string) => new Placeholder(name)) as unknown as Param<Values>).compile()
      compiled.set(db, query)
    }
    const bind = (parameter: unknown): unknown => (parameter instanceof Placeholder ? parameter.of(values) : parameter)
    return { ...query, parameters: query.parameters.map(bind) }
  }
}

class Placeholder {
  readonly #name: string | number
  readonly #row: number | undefined

  /** `row`: the values are those of several rows, and this one's are meant. */
  constructor(name: string | number, row?: number) {
    this.#name = name
    this.#row = row
  }

  of(values: object): unknown {
    const own = this.#row === undefined ? values : (values as readonly object[])[this.#row]
    return (own as Readonly<Record<string | number, unknown>>)[this.#name]
  }
}

/** What `make` makes of a size, made once. */
function bySize<Made>(make: (size: number) => Made): (size: number) => Made {
  const made = new Map<number, Made>()
  return (size) => {
    const known = made.get(size) ?? make(size)
    made.set(size, known)
    return known
  }
}

const countTo = (size: number): number[] => Array.from({ length: size }, (_, at) => at)
