/** Where the CPU time of a mail goes, by stage: profiles of all threads of the server, folded by our folders. */
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Effort, Row } from './row.ts'
import { startDrain } from './smtp-drain.ts'
import { build, outboundSide } from './versus.bench.ts'

/** What V8 writes; deltas in µs. */
interface Profile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string }
  readonly children?: readonly number[]
}

const STAGES: Readonly<Record<string, string>> = {
  receive: 'receive',
  protocol: 'receive',
  message: 'parse',
  policy: 'policy and keys',
  keys: 'policy and keys',
  gateway: 'policy and keys',
  protection: 'protect',
  store: 'commit',
  queue: 'relay',
  relay: 'relay',
  observe: 'log and metrics',
}
const SHOWN = [
  'receive',
  'parse',
  'policy and keys',
  'protect',
  'commit',
  'relay',
  'log and metrics',
  'collector',
  'other',
]

export async function stageRows({ smoke }: Effort): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sealpost-stages-'))
  try {
    await using drain = await startDrain()
    await using pair = await build('rsa-2048', drain, {
      env: { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder}` },
    })
    const mails = smoke ? 40 : 5_000
    await outboundSide(pair, drain).run(mails)
    await pair.sending.stop()
    const spent = new Map<string, number>()
    for (const name of await readdir(folder)) {
      const profile = JSON.parse(await readFile(join(folder, name), 'utf8')) as Profile
      for (const [stage, us] of spentIn(profile)) spent.set(stage, (spent.get(stage) ?? 0) + us)
    }
    return SHOWN.map((stage) => ({
      case: `out, rsa-2048, 5 kB: ${stage}`,
      value: (spent.get(stage) ?? 0) / mails,
      unit: 'µs',
    }))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Each sample belongs to the innermost of our own functions that was running, and so to its folder. */
function spentIn({ nodes, samples, timeDeltas }: Profile): ReadonlyMap<string, number> {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const known = new Map<number, string | undefined>()
  const stageOf = (id: number): string | undefined => {
    if (known.has(id)) return known.get(id)
    const node = byId.get(id)
    const parent = parents.get(id)
    const stage = (node && ownStage(node)) ?? (parent === undefined ? 'other' : stageOf(parent))
    known.set(id, stage)
    return stage
  }
  const spent = new Map<string, number>()
  for (const [index, id] of samples.entries()) {
    const stage = stageOf(id)
    if (stage !== undefined && stage !== IDLE) spent.set(stage, (spent.get(stage) ?? 0) + (timeDeltas[index] ?? 0))
  }
  return spent
}

const IDLE = 'idle'

function ownStage({ callFrame: { functionName, url } }: ProfileNode): string | undefined {
  if (functionName === '(idle)') return IDLE
  if (functionName === '(garbage collector)') return 'collector'
  const folder = /\/src\/(\w+)\//.exec(url)?.[1]
  if (folder === 'base') return url.endsWith('/log.ts') || url.endsWith('/events.ts') ? 'log and metrics' : undefined
  return folder === undefined ? undefined : (STAGES[folder] ?? 'other')
}
