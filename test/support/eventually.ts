/** For what has no event that a test could wait for. */
import { setTimeout as sleep } from 'node:timers/promises'

const PATIENCE_MS = 30_000
const LOOK_EVERY_MS = 5

/** Resolves as soon as `holds` does not throw; with what it threw last when that takes too long. */
export async function eventually(holds: () => void | Promise<void>): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return await holds()
    } catch (error) {
      if (performance.now() > endMs) throw error
      await sleep(LOOK_EVERY_MS)
    }
  }
}
