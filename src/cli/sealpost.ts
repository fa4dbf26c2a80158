/** `sealpost`: every command is a name, its arguments, and one operation. What they do is in admin/operations/. */
import { run } from './run.ts'

const FAILED = 1

/** A reader that has seen enough, as `head` has, is no bug to be traced. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(FAILED)
})

await run(process.argv)
