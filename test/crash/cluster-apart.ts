/** A cluster's run in a process with a network of its own: the machine's stays as it is. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ClusterOptions, ClusterRun } from './cluster-faults.ts'

/** Processes of its own, too: all that it has started ends with it, whatever it dies of. */
const APART = ['--net', '--pid', '--fork', '--kill-child', '--mount-proc']
const PROGRAM = fileURLToPath(new URL('cluster-run.ts', import.meta.url))

export async function crashClusterApart(options: ClusterOptions, say: (line: string) => void): Promise<ClusterRun> {
  const child = spawn('unshare', [...APART, process.execPath, PROGRAM, JSON.stringify(options)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let run: ClusterRun | undefined
  child.on('message', (message: { readonly line?: string; readonly run?: ClusterRun }) => {
    if (message.line !== undefined) say(message.line)
    run ??= message.run
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (run === undefined) throw new Error(`the run ended without a result, with ${code}`)
  return run
}
