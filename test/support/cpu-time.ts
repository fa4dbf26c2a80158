/** CPU time of this process: unlike the clock it says the same on a busy machine. For tests of what must not take long. */

/** Milliseconds of CPU that `work` took, garbage collection included. */
export function cpuMs(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  return msSince(before)
}

/** The same of work that other threads of the process do, too. */
export async function cpuMsUntil(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  return msSince(before)
}

function msSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
