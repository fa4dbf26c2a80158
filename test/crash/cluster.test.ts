/** `npm run crash -- --nodes 3` with few kills: nodes and PostgreSQL, each on a machine of its own, are killed in turn under load. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needs } from '../support/apt.ts'
import { needsLan } from '../support/lan.ts'
import { needsPostgres } from '../support/postgres.ts'
import { crashClusterApart } from './cluster-apart.ts'
import { SEED } from './points.ts'
import { lastLine } from './under-load.ts'

const KILLS = 4
const skip =
  [needsLan(), needsPostgres(), needs('haproxy', 'haproxy')].find((each) => each.skip !== false)?.skip ?? false

test('three nodes on one PostgreSQL, killed in turn: nothing that was answered 250 is lost', { skip }, async (t) => {
  const options = { nodes: 3, kills: KILLS, long: false, seed: SEED }
  const run = await crashClusterApart(options, (line) => t.diagnostic(line))
  for (const one of run.duplicated) process.stdout.write(`duplicated: ${one}\n`)
  process.stdout.write(`${lastLine(run)}\n`)
  assert.deepEqual({ lost: run.lost, wrong: run.wrong }, { lost: [], wrong: [] })
  assert(run.accepted > run.kills, 'mail has flowed')
})
