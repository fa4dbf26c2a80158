/** What a node goes by among those that share a database: how it knows at its start which leases were its own. */
import { randomBytes } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

const NODE_FILE = 'node-name'
const NAME_BYTES = 8

/**
 * The same at each start from this folder on this host. Host and folder both count, so that neither a folder that was copied
 * to another host nor two nodes on one host are taken for each other.
 */
export async function nodeName(dir: string): Promise<string> {
  const path = join(dir, NODE_FILE)
  const draft = `${path}.${randomBytes(NAME_BYTES).toString('hex')}`
  const known = await readFile(path, 'utf8').catch(() => undefined)
  if (known !== undefined) return `${hostname()}/${known}`
  await writeFile(draft, randomBytes(NAME_BYTES).toString('hex'), { mode: 0o600 })
  await link(draft, path).catch(() => undefined) // another process of this node was first
  await rm(draft, { force: true })
  return `${hostname()}/${await readFile(path, 'utf8')}`
}
