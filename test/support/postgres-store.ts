/** An empty store on PostgreSQL for each test, on one server for all of a file. */
import { after, before, describe, type TestContext } from 'node:test'
import { type LargeAtRest, type Opened, openEmpty } from '../../src/store/conformance/fixture.ts'
import type { Store } from '../../src/store/database.ts'
import { needsPostgres, type PostgresServer, startPostgres } from './postgres.ts'

export interface PostgresSuite {
  server(): PostgresServer
  open(t: TestContext): Promise<Opened>
}

/** As `describe`, with a server that runs meanwhile. */
export function describeOnPostgres(name: string, suite: (postgres: PostgresSuite) => void): void {
  describe(name, needsPostgres(), () => {
    let server: PostgresServer
    let url: string
    before(async () => {
      server = await startPostgres()
      url = await server.newDatabase()
    })
    after(() => server?.[Symbol.asyncDispose]())
    suite({ server: () => server, open: (t) => openPostgresStore(server, url, t) })
  })
}

/** In the database at `url`, which is emptied first: that is many times faster than a new one. */
async function openPostgresStore(server: PostgresServer, url: string, t: TestContext): Promise<Opened> {
  await server.query(url, EMPTY)
  const opened = await openEmpty(t, { url, migrate: true })
  return { ...opened, large: largeRows(opened.store), atRest: () => rowsAtRest(opened.store) }
}

const EMPTY = `DO $$ DECLARE names text; BEGIN
  SELECT string_agg(quote_ident(tablename), ', ') INTO names FROM pg_tables
    WHERE schemaname = 'public' AND tablename <> 'schema_version';
  IF names IS NOT NULL THEN EXECUTE 'TRUNCATE ' || names || ' RESTART IDENTITY CASCADE'; END IF;
END $$`

const largeRows = (store: Store): LargeAtRest => ({
  async names() {
    const rows = await store.db.selectFrom('pieces').select('object').distinct().execute()
    return rows.map(({ object }) => object)
  },
  async read(name) {
    const rows = await store.db
      .selectFrom('pieces')
      .select('sealed')
      .where('object', '=', name)
      .orderBy('number')
      .execute()
    return Buffer.concat(rows.map(({ sealed }) => sealed))
  },
  async replace(object, sealed) {
    await store.commit(async (tx) => {
      await tx.deleteFrom('pieces').where('object', '=', object).execute()
      await tx.insertInto('pieces').values({ object, number: 0, created_ms: 0, sealed }).execute()
    })
  },
  async date(name, created_ms) {
    await store.commit((tx) => tx.updateTable('pieces').set({ created_ms }).where('object', '=', name).execute())
  },
})

async function rowsAtRest({ db }: Store): Promise<readonly Uint8Array[]> {
  const bytes = await db.selectFrom('bytes').select(['inline', 'front']).execute()
  const pieces = await db.selectFrom('pieces').select('sealed').execute()
  return [...bytes.flatMap(({ inline, front }) => [inline, front]), ...pieces.map(({ sealed }) => sealed)].filter(
    (kept) => kept !== null,
  )
}
