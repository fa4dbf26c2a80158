/** Queries of the mail's way, built and compiled once: later calls only bind values. */
import type { Compilable, CompiledQuery } from 'kysely'
import type { Db } from './schema.ts'

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
  const compiled = new WeakMap<Db, CompiledQuery<Row>>()
  return async (db, values) => {
    let query = compiled.get(db)
    if (query === undefined) {
      query = build(db, ((name: string) => new Placeholder(name)) as unknown as Param<Values>).compile()
      compiled.set(db, query)
    }
    const bind = (parameter: unknown): unknown =>
      parameter instanceof Placeholder ? values[parameter.name as keyof Values] : parameter
    const { rows } = await db.executeQuery<Row>({ ...query, parameters: query.parameters.map(bind) })
    return rows
  }
}

class Placeholder {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}
