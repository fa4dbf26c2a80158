/** `sealpost doctor` */
import type { Command } from 'commander'
import type { Desk } from '../admin/desk.ts'
import { systemClock } from '../base/clock.ts'
import type { Config } from '../config/load.ts'
import { type Opened, examine } from '../doctor/examine.ts'
import type { Finding, Level } from '../doctor/finding.ts'
import { usersOf } from '../wiring/users.ts'
import { configOf, openDesk } from './desk-of.ts'
import { type CommonOptions, command, note, say, sayRows } from './output.ts'

const ORDER: readonly Level[] = ['broken', 'warning', 'hint', 'ok']

export function doctorCommand(): Command {
  return command(
    'doctor',
    'Looks at DNS, ports, TLS, clock, disk, files, database and keys; says what is wrong, and what to do. Changes nothing; exit status 1 when something is broken.',
    [
      'sealpost doctor',
      'sealpost doctor --all',
      'sealpost doctor --json | jq -r \'select(.level == "broken").remedy\'',
    ],
  )
    .option('--all', 'also say what is well')
    .action(doctor)
}

async function doctor(options: CommonOptions & { readonly all?: boolean }): Promise<void> {
  const config = await configOf(options.config)
  const opened = await open(config)
  try {
    const findings = await examine(config, opened, systemClock.nowMs())
    print(options, findings)
    if (findings.some(({ level }) => level === 'broken')) process.exitCode = 1
  } finally {
    if ('desk' in opened) {
      opened.users.close()
      await opened.desk.store.close()
    }
  }
}

/** What stands in the way is a finding, not the end of the command. */
async function open(config: Config): Promise<Opened> {
  let desk: Desk | undefined
  try {
    desk = await openDesk(config)
    return { desk, users: await usersOf(desk) }
  } catch (error) {
    await desk?.store.close()
    return { why: error instanceof Error ? error.message : String(error) }
  }
}

function print(options: CommonOptions & { readonly all?: boolean }, findings: readonly Finding[]): void {
  const sorted = findings.toSorted((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level))
  if (options.json === true)
    return sayRows(
      options,
      sorted.map((each) => ({ ...each })),
      '',
    )
  const shown = sorted.filter(({ level }) => options.all === true || level !== 'ok')
  const rows = shown.map(({ level, check, finding }) => ({ level, check, finding }))
  sayRows(options, rows, 'All is well.')
  for (const each of shown)
    if (each.remedy !== undefined) say(options, each, `\n${each.check}\n  why  ${each.why}\n  do   ${each.remedy}`)
  note(`\n${ORDER.map((level) => `${findings.filter((each) => each.level === level).length} ${level}`).join(', ')}`)
}
