/**
 * How long clients wait where mails come at a rate of their own, counted from when each was due, so that what is too slow
 * does not spare itself the mails that it keeps waiting; and what a second core brings.
 */
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { needsPostfix } from '../test/support/postfix.ts'
import { percentiles } from './measure.ts'
import { startPlainPostfix } from './postfix-sides.ts'
import type { Effort, Row } from './row.ts'
import { startDrain } from './smtp-drain.ts'
import { type Side, build, outboundSide, postfixSide } from './versus.bench.ts'

const RATES_PER_SECOND = [200, 800]
const SECONDS = 5
/** Below what Postfix takes by default, its `smtpd` processes. */
const CONNECTIONS = 80
const CORES_AIM = { atLeast: 1.4 }
const ROUNDS = 3

export async function latencyRows(effort: Effort): Promise<Row[]> {
  await using stack = new AsyncDisposableStack()
  const drain = stack.use(await startDrain())
  const own = outboundSide(stack.use(await build('rsa-2048', drain)), drain)
  const { skip } = needsPostfix()
  if (skip !== false) process.stderr.write(`latency: without Postfix: ${skip}\n`)
  const postfix =
    skip === false
      ? [postfixSide('Postfix, unprotected', stack.use(await startPlainPostfix(drain.port, 'abc.com')), drain, 1)]
      : []
  const sides = [own, ...postfix]
  for (const side of sides) await side.run(effort.smoke ? 4 : 1_000)
  const rows: Row[] = []
  for (const perSecond of RATES_PER_SECOND)
    for (const side of sides) rows.push(await latencyRow(side, perSecond, effort))
  return [...rows, ...(await coresRow(own, effort))]
}

/** Its value is the rate at which mails went through to the next hop. */
async function latencyRow(side: Side, perSecond: number, { smoke }: Effort): Promise<Row> {
  const mails = smoke ? 20 : perSecond * SECONDS
  const startMs = performance.now()
  const times = await side.run(mails, { perSecond, connections: smoke ? 4 : CONNECTIONS })
  const seconds = (performance.now() - startMs) / 1000
  const name = `${side.name}: ${perSecond} mails a second come, for ${SECONDS} s`
  return { case: name, value: mails / seconds, unit: '/s', ...percentiles(times) }
}

/** The server held to one core against all of them, in turns; clients and next hop have all of them. */
async function coresRow(side: Side, { smoke }: Effort): Promise<Row[]> {
  const cores = availableParallelism()
  const hold = (to: string): boolean => spawnSync('taskset', ['-a', '-c', '-p', to, String(side.pid)]).status === 0
  if (cores < 2 || !hold('0')) {
    process.stderr.write('latency: one core against several needs several, and taskset\n')
    return []
  }
  const mails = smoke ? 20 : 1_000
  const best = { one: 0, all: 0 }
  for (let round = 0; round < (smoke ? 1 : ROUNDS); round++)
    for (const width of ['one', 'all'] as const) {
      hold(width === 'one' ? '0' : `0-${cores - 1}`)
      const startMs = performance.now()
      await side.run(mails)
      best[width] = Math.max(best[width], (1000 * mails) / (performance.now() - startMs))
    }
  const against = [{ reference: 'one core', ratio: best.all / best.one, aim: CORES_AIM }]
  return [{ case: `${side.name}: ${cores} cores`, value: best.all, unit: '/s', against }]
}
