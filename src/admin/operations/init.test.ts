import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { loadConfig } from '../../config/load.ts'
import { OperationRefused } from '../desk.ts'
import { layFoundations } from './init.ts'

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'init-'))
  t.after(() => rm(made, { recursive: true }))
  return made
}

async function portsOf(file: string): Promise<readonly (number | undefined)[]> {
  const config = await loadConfig(file, {})
  assert.ok(config.ok)
  const { mx, submission, submissions, pop3, pop3s } = config.value.listeners
  return [mx, submission, submissions, pop3, pop3s].map((listener) => listener?.port)
}

const nowMs = Date.UTC(2026, 10, 22)
const domains = ['abc.com']

test('a new provider listens on the standard ports', async (t) => {
  const file = await layFoundations({ dir: await folder(t), domains, nowMs })
  assert.deepEqual(await portsOf(file), [25, 587, 465, 110, 995])
})

test('or on ports that need no root, for a first try', async (t) => {
  const file = await layFoundations({ dir: await folder(t), domains, highPorts: true, nowMs })
  assert.deepEqual(await portsOf(file), [2525, 2587, 2465, 2110, 2995])
})

test('a folder that is not empty is left alone', async (t) => {
  const dir = await folder(t)
  await layFoundations({ dir, domains, nowMs })
  await assert.rejects(layFoundations({ dir, domains, nowMs }), OperationRefused)
})
