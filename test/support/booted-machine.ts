/**
 * A machine of its own with systemd: this one's system under an overlay that forgets what was written, with nothing but a
 * loopback interface. By systemd-nspawn, as root.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { needs } from './apt.ts'

const BOOT_MAX_MS = 60_000
const LOOK_EVERY_MS = 100
/** systemd as PID 1 takes this as "power off". */
const POWER_OFF = 'RTMIN+4'

const execute = promisify(execFile)

export function needsBootedMachine(): { skip: string | false } {
  const { skip } = needs('systemd-nspawn', 'systemd-container')
  if (skip !== false) return { skip }
  return { skip: process.getuid?.() === 0 ? false : 'only root starts machines' }
}

export interface BootedMachine extends AsyncDisposable {
  /** Runs a program as the machine's root and returns its standard output; throws with its words when it fails. */
  run(program: string, ...args: readonly string[]): Promise<string>
}

/** `shared` is its /mnt, read-only. */
export async function bootMachine(shared: string): Promise<BootedMachine> {
  const stack = new AsyncDisposableStack()
  try {
    const root = await overlayOfThisSystem(stack)
    const machine = spawn('systemd-nspawn', [...OPTIONS, `--directory=${root}`, `--bind-ro=${shared}:/mnt`, UNIT], {
      stdio: 'ignore',
    })
    const first = await firstProcessOf(machine)
    stack.defer(async () => {
      const ended = once(machine, 'exit')
      await execute('kill', [`-${POWER_OFF}`, first])
      await ended
    })
    const run = async (program: string, ...args: readonly string[]): Promise<string> => {
      const into = ['--target', first, '--mount', '--pid', '--uts', '--ipc', '--net', program, ...args]
      return (await execute('nsenter', into)).stdout
    }
    await until(async () => (await run('systemctl', 'is-system-running').catch(() => '')).startsWith('running'))
    const owned = stack.move()
    return { run, [Symbol.asyncDispose]: () => owned.disposeAsync() }
  } finally {
    await stack.disposeAsync()
  }
}

const UNIT = 'systemd.unit=basic.target' // none of this system's own services
const OPTIONS = [
  '--quiet',
  '--boot',
  '--private-network',
  '--register=no',
  '--keep-unit',
  '--link-journal=no',
  '--console=pipe',
]

async function overlayOfThisSystem(stack: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sealpost-machine-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  await mount(stack, '-t', 'tmpfs', 'tmpfs', folder)
  const [upper, work, root] = [join(folder, 'upper'), join(folder, 'work'), join(folder, 'root')]
  for (const each of [upper, work, root]) await mkdir(each)
  await mount(stack, '-t', 'overlay', '-o', `lowerdir=/,upperdir=${upper},workdir=${work}`, 'overlay', root)
  return root
}

async function mount(stack: AsyncDisposableStack, ...args: readonly string[]): Promise<void> {
  await execute('mount', [...args])
  stack.defer(async () => void (await execute('umount', ['--lazy', args.at(-1) ?? ''])))
}

/** Its systemd. Before that there is a process that makes the namespaces, and goes. */
async function firstProcessOf(machine: ChildProcess): Promise<string> {
  let first = ''
  await until(async () => {
    const { pid, exitCode } = machine
    if (exitCode !== null) throw new Error(`systemd-nspawn ended with ${exitCode}`)
    const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')
    const statuses = await Promise.all(
      children.map((child) => readFile(`/proc/${child}/status`, 'utf8').catch(() => '')),
    )
    first = children[statuses.findIndex((status) => /^NSpid:.*\t1$/m.test(status))] ?? ''
    return first !== ''
  })
  return first
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const giveUpMs = performance.now() + BOOT_MAX_MS
  while (!(await holds())) {
    if (performance.now() > giveUpMs) throw new Error('the machine does not come up')
    await pause(LOOK_EVERY_MS)
  }
}
