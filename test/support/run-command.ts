/** Runs `sealpost` and says how it ended, for tests of the commands themselves. */
import { type CommandEnd, runInThread } from './command-thread.ts'
import { runSealpost } from './provider.ts'

export const runCommand = runInThread

/** The same by a process of its own, as people do it. Of one that ended well, nobody asks what it said to stderr. */
export async function runProgram(args: readonly string[], input?: string): Promise<CommandEnd> {
  try {
    return { code: 0, stdout: await runSealpost(args, input), stderr: '' }
  } catch (error) {
    const { code, stdout, stderr } = error as CommandEnd
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
