/** Runs one command line: `sealpost` is this, and nothing more. */
import { CommanderError } from 'commander'
import { fail } from './output.ts'
import { program } from './program.ts'

/** RFC-like convention of the contract: 0 done, 1 failed, 2 wrong use. */
const WRONG_USE = 2

/** `argv` as in `process.argv`. The exit status is in `process.exitCode` afterwards; nothing is thrown. */
export async function run(argv: readonly string[]): Promise<void> {
  try {
    const made = await program(argv[2])
    await made.parseAsync(argv)
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : WRONG_USE
    else process.exitCode = fail(error)
  }
}
