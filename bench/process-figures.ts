/** What Linux says of a process; undefined elsewhere. */
import { readFile, readdir, writeFile } from 'node:fs/promises'

/** Ticks of /proc/PID/stat: USER_HZ, the same on every Linux. */
const TICKS_PER_SECOND = 100

export interface ProcessMemory {
  readonly rssMb: number
  /** Since the start, or since `forgetPeak`. */
  readonly peakMb: number
}

/** All threads of the process together; 1 MB is a million bytes. */
export async function memoryOf(pid: number): Promise<ProcessMemory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024) / 1e6
  return { rssMb: field('VmRSS'), peakMb: field('VmHWM') }
}

/** The peak is counted from now on. */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5')
}

/** User and system time of all threads so far. */
export async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1000
}

/** The same of a process and all below it, those that have ended included where their parents have waited for them. */
export async function cpuMsOfTree(root: number): Promise<number> {
  const stats = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((name) => readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')),
  )
  const processes = stats.flatMap((stat) => {
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [ticks, ofEnded] = [Number(fields[11]) + Number(fields[12]), Number(fields[13]) + Number(fields[14])]
    return stat === '' ? [] : [{ pid: Number.parseInt(stat), parent: Number(fields[1]), ticks: ticks + ofEnded }]
  })
  const below = (pid: number): number =>
    processes.filter(({ parent }) => parent === pid).reduce((sum, each) => sum + each.ticks + below(each.pid), 0)
  const own = processes.find(({ pid }) => pid === root)?.ticks ?? 0
  return ((own + below(root)) / TICKS_PER_SECOND) * 1000
}

export const hasProcessFigures = process.platform === 'linux'
