/** What every database must do. A new dialect runs the same suites with its own opener. */
import { openSqliteStore, type Open } from './conformance/fixture.ts'
import { abilitiesSuite } from './conformance/abilities-suite.ts'
import { bytesSuite } from './conformance/bytes-suite.ts'
import { confidentialSuite } from './conformance/confidential-suite.ts'
import { commitSuite } from './conformance/commit-suite.ts'
import { keysSuite } from './conformance/keys-suite.ts'
import { mailSuite } from './conformance/mail-suite.ts'
import { queueSuite } from './conformance/queue-suite.ts'

const stores: readonly Open[] = [openSqliteStore]

for (const open of stores) {
  commitSuite(open)
  bytesSuite(open)
  queueSuite(open)
  mailSuite(open)
  keysSuite(open)
  confidentialSuite(open)
  abilitiesSuite(open)
}
