/** `sealpost bench`: the benchmark of the README, which is part of the source tree (bench/). */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { OperationRefused } from '../admin/desk.ts'
import { type CommonOptions, command } from './output.ts'

const SCRIPT = fileURLToPath(new URL('../../bench/bench.ts', import.meta.url))

interface BenchOptions extends CommonOptions {
  readonly smoke?: boolean
  readonly only?: readonly string[]
}

export function benchCommand(): Command {
  return command('bench', 'Measure this machine: rates, memory, start; each beside its reference and its aim.', [
    'sealpost bench',
    'sealpost bench --only mail cms',
  ])
    .option('--smoke', 'take seconds and measure nothing exactly')
    .option(
      '--only <suites...>',
      'some of mail, cms, pairs, libcrypto, openpgp, trust, worker, large, server, versus, latency, stages, growth, nodes',
    )
    .action(bench)
}

/** A process of its own, so that what this one has loaded is not measured along. */
async function bench({ smoke, json, only = [] }: BenchOptions): Promise<void> {
  if (!existsSync(SCRIPT)) throw new OperationRefused('The benchmark comes with the source tree only')
  const flags = [...(smoke === true ? ['--smoke'] : []), ...(json === true ? ['--json'] : [])]
  const args = [...flags, ...only.flatMap((suite) => ['--only', suite])]
  const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: 'inherit' })
  const [code] = (await once(child, 'exit')) as [number | null]
  process.exitCode = code ?? 1
}
