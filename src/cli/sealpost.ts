/** `sealpost`: every command is a name, its arguments, and one operation. What they do is in admin/operations/. */
import { CommanderError } from 'commander'
import { fail } from './output.ts'
import { program } from './program.ts'

/** RFC-like convention of the contract: 0 done, 1 failed, 2 wrong use. */
const FAILED = 1
const WRONG_USE = 2

/** A reader that has seen enough, as `head` has, is no bug to be traced. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(FAILED)
})

try {
  const made = await program(process.argv[2])
  await made.parseAsync(process.argv)
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : WRONG_USE
  else process.exitCode = fail(error)
}
