import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Result, ok } from '../base/result.ts'
import { HostGate, RUNNING_PER_HOST_MAX } from './host-gate.ts'

const clock = { nowMs: () => 0 }

/** How many of so many questions were asked when all had come to an end. */
async function served(gate: HostGate, urls: readonly string[]): Promise<number> {
  const end = Promise.withResolvers<Result<string>>()
  const answers = urls.map((url) => gate.run(url, () => end.promise))
  end.resolve(ok('answer'))
  return (await Promise.all(answers)).filter((answer) => answer.ok).length
}

test('more than may run at once are turned away; of one host some wait', async () => {
  const hosts = Array.from({ length: 5 }, (_, index) => `https://host${index}.example/`)
  assert.equal(await served(new HostGate(clock, { runningMax: 3 }), hosts), 3)
  assert.equal(await served(new HostGate(clock, { runningMax: 5 }), hosts), 5)
  const same = Array.from({ length: 10 }, () => 'https://host.example/')
  assert.equal(await served(new HostGate(clock, { waitingPerHostMax: 2 }), same), RUNNING_PER_HOST_MAX + 2)
  assert.equal(await served(new HostGate(clock, { waitingPerHostMax: 100 }), same), 10)
})
