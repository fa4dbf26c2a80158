/**
 * `npm run bench`: every figure that the README and docs/performance.md show, as one table. What is compared was measured
 * in the same run, in turns. `--only NAME` (several times) picks suites, `--json` prints a row a line, `--smoke` takes
 * seconds and only proves that everything runs.
 */
import { parseArgs } from 'node:util'
import { cmsRows } from './cms.bench.ts'
import { largeRows } from './large.bench.ts'
import { growthRows } from './growth.bench.ts'
import { latencyRows } from './latency.bench.ts'
import { libcryptoRows } from './libcrypto.bench.ts'
import { mailRows } from './mail.bench.ts'
import { nodeRows } from './nodes.bench.ts'
import { openpgpRows } from './openpgp.bench.ts'
import { pairRows } from './pairs.bench.ts'
import { type Effort, type Row, formatRows } from './row.ts'
import { serverRows } from './server.bench.ts'
import { stageRows } from './stages.bench.ts'
import { trustRows } from './trust.bench.ts'
import { userRows } from './users.bench.ts'
import { versusRows } from './versus.bench.ts'
import { workerRows } from './worker.bench.ts'

const SUITES: Readonly<Record<string, (effort: Effort) => Promise<Row[]>>> = {
  mail: mailRows,
  cms: cmsRows,
  pairs: pairRows,
  libcrypto: libcryptoRows,
  openpgp: openpgpRows,
  trust: trustRows,
  worker: workerRows,
  large: largeRows,
  server: serverRows,
  versus: versusRows,
  latency: latencyRows,
  stages: stageRows,
  growth: growthRows,
  nodes: nodeRows,
  users: userRows,
}
const FULL: Effort = { smoke: false, msPerOperation: 1_500 }
const SMOKE: Effort = { smoke: true, msPerOperation: 20 }

const { values } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: Object.keys(SUITES) },
  },
})

const rows: Row[] = []
for (const name of values.only) {
  const suite = SUITES[name]
  if (suite === undefined)
    throw new RangeError(`there is no suite ${name}; there are ${Object.keys(SUITES).join(', ')}`)
  const measured = await suite(values.smoke ? SMOKE : FULL)
  if (values.json) for (const row of measured) process.stdout.write(`${JSON.stringify(row)}\n`)
  rows.push(...measured)
}
if (!values.json) process.stdout.write(formatRows(rows))
