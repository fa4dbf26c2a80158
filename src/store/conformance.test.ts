/** What every database must do. A new dialect runs the same suites with its own opener. */
import { after, before, describe } from 'node:test'
import { openPostgresStore } from '../../test/support/postgres-store.ts'
import { needsPostgres, type PostgresServer, startPostgres } from '../../test/support/postgres.ts'
import { openSqliteStore, type Open } from './conformance/fixture.ts'
import { abilitiesSuite } from './conformance/abilities-suite.ts'
import { bytesSuite } from './conformance/bytes-suite.ts'
import { confidentialSuite } from './conformance/confidential-suite.ts'
import { commitSuite } from './conformance/commit-suite.ts'
import { keysSuite } from './conformance/keys-suite.ts'
import { mailSuite } from './conformance/mail-suite.ts'
import { queueSuite } from './conformance/queue-suite.ts'

describe('SQLite', () => allSuites(openSqliteStore))

describe('PostgreSQL', needsPostgres(), () => {
  let server: PostgresServer
  let url: string
  before(async () => {
    server = await startPostgres()
    url = await server.newDatabase()
  })
  after(() => server[Symbol.asyncDispose]())
  allSuites((t) => openPostgresStore(server, url, t))
})

function allSuites(open: Open): void {
  commitSuite(open)
  bytesSuite(open)
  queueSuite(open)
  mailSuite(open)
  keysSuite(open)
  confidentialSuite(open)
  abilitiesSuite(open)
}
