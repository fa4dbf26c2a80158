/** `npm run crash`: kills servers under load, cuts their power, and shows that nothing that they had answered 250 is lost. */
import { parseArgs } from 'node:util'
import { crashClusterApart } from './cluster-apart.ts'
import { type CrashRun, crashUnderLoad, lastLine } from './under-load.ts'

const HELP = `npm run crash -- [--nodes N] [--kills N] [--seed N]

Starts a server with users, a next hop and a foreign provider, all on loopback, sends mail through it from several clients
at once, and kills it (SIGKILL) N times: at random, and at one step after the other. With each kill the power goes: writes
that were not synced are thrown away, in part or all. An outside ledger compares what was answered 250 with what arrived.

With --nodes so many nodes share one PostgreSQL behind HAProxy, each in a network namespace of its own (root only). Nodes and
PostgreSQL are killed in turn. Then each node is cut off from all others for longer than its leases last, stands still as
long (SIGSTOP), and is slow; and PostgreSQL is away as long: five minutes for each node, and two more.

  --nodes N   so many on one PostgreSQL; without it, one server on SQLite
  --kills N   how often (200; with --nodes 30)
  --seed N    the same choices as in an earlier run, which has printed its seed
`

const { values } = parseArgs({
  options: {
    nodes: { type: 'string' },
    kills: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(HELP)
else {
  const run = await crash()
  for (const one of run.duplicated) say(`duplicated: ${one}`)
  for (const one of run.lost) say(`lost: ${one}`)
  for (const one of run.wrong) say(`wrong: ${one}`)
  say(`${run.wrong.length} things are wrong`)
  say(lastLine(run))
  process.exitCode = run.lost.length + run.wrong.length === 0 ? 0 : 1
}

async function crash(): Promise<CrashRun> {
  const seed = Number(values.seed)
  if (values.nodes !== undefined) {
    const options = { nodes: Number(values.nodes), kills: Number(values.kills ?? '30'), long: true, seed }
    const run = await crashClusterApart(options, say)
    say(`${run.putOff} times a client was put off`)
    return run
  }
  const run = await crashUnderLoad({ kills: Number(values.kills ?? '200'), seed, say })
  say(`${run.inStep} of the kills met a step`)
  return run
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
