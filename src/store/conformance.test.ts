/** What every database must do. A new dialect runs the same suites with its own opener. */
import { describe } from 'node:test'
import { describeOnPostgres } from '../../test/support/postgres-store.ts'
import { openSqliteStore, type Open } from './conformance/fixture.ts'
import { abilitiesSuite } from './conformance/abilities-suite.ts'
import { bytesSuite } from './conformance/bytes-suite.ts'
import { confidentialSuite } from './conformance/confidential-suite.ts'
import { commitSuite } from './conformance/commit-suite.ts'
import { keysSuite } from './conformance/keys-suite.ts'
import { mailSuite } from './conformance/mail-suite.ts'
import { queueSuite } from './conformance/queue-suite.ts'

describe('SQLite', () => allSuites(openSqliteStore))

describeOnPostgres('PostgreSQL', ({ open }) => allSuites(open))

function allSuites(open: Open): void {
  commitSuite(open)
  bytesSuite(open)
  queueSuite(open)
  mailSuite(open)
  keysSuite(open)
  confidentialSuite(open)
  abilitiesSuite(open)
}
