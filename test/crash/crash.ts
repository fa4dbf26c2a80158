/** `npm run crash`: kills a server under load, cuts its power, and shows that nothing that it had answered 250 is lost. */
import { parseArgs } from 'node:util'
import { crashUnderLoad, lastLine } from './under-load.ts'

const HELP = `npm run crash -- [--kills N] [--seed N]

Starts a server with users, a next hop and a foreign provider, all on loopback, sends mail through it from several clients
at once, and kills it (SIGKILL) N times: at random, and at one step after the other. With each kill the power goes: writes
that were not synced are thrown away, in part or all. An outside ledger compares what was answered 250 with what arrived.

  --kills N   how often (200)
  --seed N    the same choices as in an earlier run, which has printed its seed
`

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(HELP)
else {
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const run = await crashUnderLoad({ kills: Number(values.kills), seed: Number(values.seed), say })
  for (const one of run.duplicated) say(`duplicated: ${one}`)
  for (const one of run.lost) say(`lost: ${one}`)
  for (const one of run.wrong) say(`wrong: ${one}`)
  say(`${run.inStep} of the kills met a step; ${run.wrong.length} things are wrong`)
  say(lastLine(run))
  process.exitCode = run.lost.length + run.wrong.length === 0 ? 0 : 1
}
