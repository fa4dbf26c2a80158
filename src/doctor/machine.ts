/** Clock, disk, and who may read what. */
import { execFile } from 'node:child_process'
import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Config } from '../config/load.ts'
import { MASTER_KEY_FILE } from '../keys/master-key.ts'
import { type Finding, good, trouble } from './finding.ts'

const MEGABYTE = 2 ** 20
const OTHERS = 0o007
const GROUP_AND_OTHERS = 0o077
/** A tenth free is enough of a small disk, as for the server itself. */
const DISK_SHARE = 0.1
const INODES_FREE_MIN = 10_000
const TIMEOUT_MS = 5_000

/** `newestMs`: the time of the last thing that was written down here. */
export async function examineClock(nowMs: number, newestMs: number | undefined): Promise<Finding> {
  const check = 'clock'
  const why = 'Signatures, certificates, retries and what is kept for some days go by the clock.'
  if (newestMs !== undefined && newestMs > nowMs + TIMEOUT_MS)
    return trouble(check, 'broken', `shows ${time(nowMs)}, but the database was written at ${time(newestMs)}`, {
      why,
      remedy: 'Set the clock: timedatectl set-ntp true',
    })
  const synchronized = await asksKernel()
  if (synchronized === true) return good(check, 'kept by time servers')
  const finding = synchronized === false ? 'is kept by no time server' : 'cannot be judged: there is no timedatectl'
  return trouble(check, synchronized === false ? 'warning' : 'hint', finding, {
    why,
    remedy: 'apt-get install systemd-timesyncd; timedatectl set-ntp true. A container has the clock of its host.',
  })
}

const time = (ms: number): string => new Date(ms).toISOString()

/** The kernel knows, whichever program keeps the clock; nobody on the network is asked. */
async function asksKernel(): Promise<boolean | undefined> {
  try {
    const args = ['show', '--property', 'NTPSynchronized', '--value']
    const { stdout } = await promisify(execFile)('timedatectl', args, { timeout: TIMEOUT_MS })
    return { yes: true, no: false }[stdout.trim()]
  } catch {
    return undefined
  }
}

export async function examineDisk({ dataDir, limits }: Config): Promise<Finding> {
  const check = `disk of ${dataDir}`
  try {
    const { bavail, blocks, bsize, files, ffree } = await statfs(dataDir)
    const wanted = Math.min(limits.diskFreeMinMegabytes * MEGABYTE, blocks * bsize * DISK_SHARE)
    const free = `${Math.round((bavail * bsize) / MEGABYTE)} MB free`
    const how = {
      why: 'New mail is answered 452 until there is room.',
      remedy: `Free some, or give ${dataDir} a larger disk.`,
    }
    if (bavail * bsize < wanted) return trouble(check, 'broken', free, how)
    if (files > 0 && ffree < INODES_FREE_MIN) return trouble(check, 'broken', `${ffree} inodes free`, how)
    return bavail * bsize < 2 * wanted ? trouble(check, 'warning', free, how) : good(check, free)
  } catch (error) {
    return trouble(check, 'broken', String(error), {
      why: 'There is nowhere to keep mail.',
      remedy: 'Set "dataDir", or mount the disk.',
    })
  }
}

/** Secrets that others can read, and files that the server itself cannot. */
export async function examineFiles(config: Config): Promise<readonly Finding[]> {
  const { accounts, dataDir, relay, store, submission, tls } = config
  const secrets: readonly (readonly [file: string, forbidden: number])[] = [
    [join(dataDir, MASTER_KEY_FILE), GROUP_AND_OTHERS],
    [dataDir, OTHERS],
    [tls.key, OTHERS],
    ...Object.values(relay.credentials).map(({ passwordFile }) => [passwordFile, OTHERS] as const),
    ...submission.sharedNetworks.map(({ valueFile }) => [valueFile, OTHERS] as const),
    ...[accounts.file, accounts.ldap?.bindPasswordFile, store.bucket?.secretKeyFile].flatMap((file) =>
      file ? [[file, OTHERS] as const] : [],
    ),
  ]
  const findings = await Promise.all(secrets.map(([file, forbidden]) => examineSecret(file, forbidden)))
  return [...findings.flat(), await examineOwners(dataDir)]
}

async function examineSecret(file: string, forbidden: number): Promise<readonly Finding[]> {
  const check = `permissions of ${file}`
  try {
    const { mode } = await stat(file)
    if ((mode & forbidden) === 0) return [good(check, `mode ${(mode & 0o777).toString(8)}`)]
    const remedy = `chmod ${forbidden === OTHERS ? 'o-rwx' : 'go-rwx'} ${file}`
    return [
      trouble(check, 'broken', `open to others (mode ${(mode & 0o777).toString(8)})`, {
        why: 'Whoever has an account on this machine, or a program that was broken into, can take what is in it.',
        remedy,
      }),
    ]
  } catch {
    return [] // what is missing is said by who needs it; the master key may be in the environment
  }
}

/** A command that was run as root leaves files that the server cannot open. */
async function examineOwners(dataDir: string): Promise<Finding> {
  const check = `owner of what is in ${dataDir}`
  try {
    const { uid } = await stat(dataDir)
    const names = await readdir(dataDir)
    const owners = await Promise.all(names.map(async (name) => ({ name, uid: (await stat(join(dataDir, name))).uid })))
    const foreign = owners.filter((each) => each.uid !== uid).map(({ name }) => name)
    if (foreign.length === 0) return good(check, `user ${uid}, as the folder`)
    return trouble(check, 'broken', `${foreign.join(', ')} belong to somebody else than the folder`, {
      why: 'The server cannot write them: a command was run as root, perhaps.',
      remedy: `chown -R --reference=${dataDir} ${dataDir}`,
    })
  } catch (error) {
    return trouble(check, 'broken', String(error), {
      why: 'The server cannot read it either.',
      remedy: `ls -l ${dataDir}`,
    })
  }
}
