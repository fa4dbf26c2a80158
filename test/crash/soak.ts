/** `npm run soak`: mixed load on one server for a long time; the slope of its memory, its latency, and that nothing is lost. */
import { parseArgs } from 'node:util'
import { soak, soakLines } from './soak-run.ts'

const HELP = `npm run soak -- [--minutes N]

Starts a server with users, a next hop and a foreign provider, all on loopback, and sends small and large mail in and out
through it from several clients at once, while its users fetch. Says how its memory grows, how long clients wait, how late
its event loop is, how many files it has open, and that each mail that was answered 250 has arrived once.

  --minutes N   how long (30)
`

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '30' }, help: { type: 'boolean', default: false } },
})

if (values.help) process.stdout.write(HELP)
else {
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const run = await soak({ ms: Number(values.minutes) * 60_000, say })
  for (const one of [...run.lost, ...run.duplicated, ...run.wrong, ...new Set(run.refusals)]) say(one)
  for (const line of soakLines(run)) say(line)
  process.exitCode = run.lost.length + run.duplicated.length + run.wrong.length === 0 ? 0 : 1
}
