import { execFileSync } from 'node:child_process'
import { ROOT } from '../step.ts'

/** What a program wrote to standard output; throws when it fails. */
export function run(program: string, args: readonly string[], cwd: string = ROOT): string {
  return execFileSync(program, [...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}
