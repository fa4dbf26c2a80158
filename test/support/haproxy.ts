/** Debian's HAProxy in the foreground, with a configuration of the test's. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HERE } from './lan.ts'

const START_TIMEOUT_MS = 60_000

/** Resolves when it listens on `port` of its place, and on all others that the configuration names. */
export async function startHaproxy(configuration: string, port: number, place = HERE): Promise<AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-haproxy-'))
  const file = join(dir, 'haproxy.cfg')
  await writeFile(file, configuration)
  const [command, ...parameters] = [...place.within, 'haproxy', '-db', '-f', file]
  const program = spawn(command, parameters, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
  })
  let output = ''
  for (const stream of [program.stdout, program.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = new Promise((resolve) => program.once('exit', resolve))
  const endMs = performance.now() + START_TIMEOUT_MS
  while (!(await accepts(place.host, port))) {
    if (program.exitCode !== null || performance.now() > endMs) throw new Error(`HAProxy did not start: ${output}`)
    await sleep(20)
  }
  return {
    async [Symbol.asyncDispose]() {
      program.kill('SIGKILL')
      await ended
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
