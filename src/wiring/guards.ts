/** What all listeners share: rates, overload, and who may try a password. */
import { statfs } from 'node:fs/promises'
import { totalmem } from 'node:os'
import type { Desk } from '../admin/desk.ts'
import * as events from '../base/events.ts'
import { type LoadLimits, Overload } from '../base/overload.ts'
import { Rates } from '../base/rates.ts'
import type { LiveConfig } from '../config/live.ts'
import type { Config } from '../config/load.ts'
import type { ProtectionPool } from '../gateway/protect.ts'
import { LoginGate } from '../keys/login-gate.ts'
import { isWithin, networkList } from '../keys/public-address.ts'
import { signIn } from '../keys/sign-in.ts'
import type { SignIn, Users } from '../keys/user-sources/users.ts'

const MEGABYTE = 2 ** 20
/** Of the memory of the machine, when the configuration does not say. */
const MEMORY_SHARE = 0.75
/** For mails in work: what a mail holds is worked on in copies, and sealed. */
const HELD_SHARE = 0.125
/** Of a small disk. */
const DISK_SHARE = 0.1
const DISK_LOOKED_AT_MS = 1_000
const RESIDENT_LOOKED_AT_MS = 50

export interface SharedGuards {
  readonly rates: Rates
  readonly load: Overload
  /** Name and password of a user, for every protocol alike. */
  signIn(name: string, password: string, peerAddress: string): Promise<SignIn | 'too-many-failures'>
  stop(): void
}

export function sharedGuards(desk: Desk, live: LiveConfig, pool: ProtectionPool, users: Users): SharedGuards {
  const disk = watchDisk(desk.config.dataDir)
  const exempt = memoized((config: Config) => networkList(config.limits.rateExemptNetworks))
  const rates = new Rates({
    limits: () => live.current.limits.perMinute,
    exempt: (address) => isWithin(exempt(live.current), address),
    nowMs: () => performance.now(),
  })
  const load = new Overload({
    limits: () => loadLimits(live.current, disk.sizeBytes()),
    facts: { residentBytes: residentBytes(), freeDiskBytes: disk.freeBytes, threadsBusy: () => pool.busy },
    events,
  })
  const gate = new LoginGate(rates)
  return { rates, load, signIn: (...login) => signInGated(users, gate, ...login), stop: disk.stop }
}

async function signInGated(
  users: Users,
  gate: LoginGate,
  name: string,
  password: string,
  peerAddress: string,
): ReturnType<SharedGuards['signIn']> {
  if (!gate.mayTry(name, peerAddress)) return 'too-many-failures'
  try {
    const account = await signIn({ users }, name, password)
    if (account === 'busy' || account === 'unavailable') gate.notFailed(name, peerAddress)
    else if (account !== 'wrong') gate.succeeded(name, peerAddress)
    return account
  } catch (error) {
    gate.notFailed(name, peerAddress)
    throw error
  }
}

function loadLimits({ limits }: Config, diskBytes: number): LoadLimits {
  const ceiling = limits.memoryMaxMegabytes * MEGABYTE || MACHINE_BYTES * MEMORY_SHARE
  return {
    residentMaxBytes: ceiling,
    heldMaxBytes: ceiling * HELD_SHARE,
    freeDiskMinBytes: Math.min(limits.diskFreeMinMegabytes * MEGABYTE, diskBytes * DISK_SHARE),
  }
}

/** Of the container, where there is one. Asked once: the kernel answers by reading files. */
const MACHINE_BYTES = Math.min(process.constrainedMemory() || totalmem(), totalmem())

function residentBytes(): () => number {
  let bytes = 0
  let lookedMs = -RESIDENT_LOOKED_AT_MS
  return () => {
    if (performance.now() - lookedMs < RESIDENT_LOOKED_AT_MS) return bytes
    lookedMs = performance.now()
    bytes = process.memoryUsage.rss()
    return bytes
  }
}

/** Looks every second: to ask for each mail would be a system call that can hang with the disk. */
function watchDisk(folder: string): { freeBytes(): number | undefined; sizeBytes(): number; stop(): void } {
  let free: number | undefined
  let size = 0
  let looking = false
  const look = async (): Promise<void> => {
    if (looking) return
    looking = true
    try {
      const { bavail, blocks, bsize } = await statfs(folder)
      free = bavail * bsize
      size = blocks * bsize
    } catch {
      free = undefined // what is wrong with the disk, who writes to it will say
    }
    looking = false
  }
  void look()
  const timer = setInterval(() => void look(), DISK_LOOKED_AT_MS).unref()
  return { freeBytes: () => free, sizeBytes: () => size, stop: () => clearInterval(timer) }
}

/** The value for the last argument is kept. */
function memoized<Argument extends object, Value>(make: (of: Argument) => Value): (of: Argument) => Value {
  let last: { readonly of: Argument; readonly value: Value } | undefined
  return (of) => {
    if (last?.of !== of) last = { of, value: make(of) }
    return last.value
  }
}
