/** Runs `sealpost` and says how it ended, for tests of the commands themselves. */
import { runSealpost } from './provider.ts'

export interface Ended {
  readonly code: number
  readonly stdout: string
  /** Empty when it went well. */
  readonly stderr: string
}

export async function runCommand(args: readonly string[], input?: string): Promise<Ended> {
  try {
    return { code: 0, stdout: await runSealpost(args, input), stderr: '' }
  } catch (error) {
    const { code, stdout, stderr } = error as Error & { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

/** The objects that `--json` printed, one a line. */
export function jsonLines(stdout: string): readonly Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
