/**
 * Whether there is room for more mail: memory, by our own account of what mails in work hold and by what the process has;
 * the disk; the threads' queue. Who is told no comes again later, and what has begun can end.
 */

export interface LoadLimits {
  /** What all mails in work may hold together. */
  readonly heldMaxBytes: number
  /** Resident memory of the process; beyond it, mails may hold `SMALL_SHARE` of what they may hold otherwise. */
  readonly residentMaxBytes: number
  /** Left on the disk. */
  readonly freeDiskMinBytes: number
}

export interface LoadFacts {
  residentBytes(): number
  /** `undefined` when it is not known. */
  freeDiskBytes(): number | undefined
  /** The threads have more waiting than they will soon do. */
  threadsBusy(): boolean
}

export interface LoadEvents {
  /** The first who is told no, and why. */
  overloaded(facts: { readonly why: Shortage; readonly heldBytes: number; readonly residentBytes: number }): void
  recovered(facts: { readonly heldBytes: number; readonly residentBytes: number }): void
}

export type Shortage = 'memory' | 'threads' | 'disk'

/** New mail is turned away when this much is held, so that what has begun finds room to end. */
const BEGIN_SHARE = 0.75
/** It is over when no more than this is held. */
const RECOVERED_SHARE = 0.5
/** Never less: memory that was freed may still count as resident, and then only work shows that it can be used. */
const SMALL_SHARE = 0.125

export class Overload {
  readonly #limits: () => LoadLimits
  readonly #facts: LoadFacts
  readonly #events: LoadEvents
  #heldBytes = 0
  #why: Shortage | undefined

  constructor(deps: { limits(): LoadLimits; readonly facts: LoadFacts; readonly events: LoadEvents }) {
    this.#limits = () => deps.limits()
    this.#facts = deps.facts
    this.#events = deps.events
  }

  /** What mails in work hold now. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Why the last one was told no, until it is over. */
  get why(): Shortage | undefined {
    return this.#why
  }

  /** Why no new mail can be begun, if so. */
  shortage(): Shortage | undefined {
    const shortage = this.#shortage()
    if (shortage === undefined) this.#recover()
    else this.#refused(shortage)
    return shortage
  }

  /** Memory for one mail, of which never more than `maxBytes` is held (the rest goes to the disk). */
  hold(maxBytes: number): Hold {
    return new Hold(maxBytes, (bytes) => this.#take(bytes))
  }

  #take(bytes: number): boolean {
    if (bytes > 0 && this.#heldBytes + bytes > this.#heldMaxBytes()) {
      this.#refused('memory')
      return false
    }
    this.#heldBytes += bytes
    if (bytes < 0) this.#recover()
    return true
  }

  #shortage(): Shortage | undefined {
    if (this.#heldBytes > this.#heldMaxBytes() * BEGIN_SHARE) return 'memory'
    const freeDiskBytes = this.#facts.freeDiskBytes()
    if (freeDiskBytes !== undefined && freeDiskBytes < this.#limits().freeDiskMinBytes) return 'disk'
    return this.#facts.threadsBusy() ? 'threads' : undefined
  }

  #heldMaxBytes(): number {
    const { heldMaxBytes, residentMaxBytes } = this.#limits()
    return this.#facts.residentBytes() > residentMaxBytes ? heldMaxBytes * SMALL_SHARE : heldMaxBytes
  }

  #refused(why: Shortage): void {
    if (this.#why === undefined) this.#events.overloaded({ why, ...this.#state() })
    this.#why = why
  }

  #recover(): void {
    if (this.#why === undefined || this.#heldBytes > this.#heldMaxBytes() * RECOVERED_SHARE) return
    if (this.#shortage() !== undefined) return
    this.#why = undefined
    this.#events.recovered(this.#state())
  }

  #state(): { heldBytes: number; residentBytes: number } {
    return { heldBytes: this.#heldBytes, residentBytes: this.#facts.residentBytes() }
  }
}

/** What one mail holds, from its first byte to its answer. */
export class Hold {
  readonly #maxBytes: number
  readonly #take: (bytes: number) => boolean
  #grownBytes = 0
  #heldBytes = 0

  constructor(maxBytes: number, take: (bytes: number) => boolean) {
    this.#maxBytes = maxBytes
    this.#take = take
  }

  /** Room for so many bytes before they come; false: there is none. */
  reserve(bytes: number): boolean {
    const moreBytes = Math.min(bytes, this.#maxBytes) - this.#heldBytes
    if (moreBytes <= 0) return true
    if (!this.#take(moreBytes)) return false
    this.#heldBytes += moreBytes
    return true
  }

  /** So many bytes have come; false: there is no room for them. */
  grow(bytes: number): boolean {
    this.#grownBytes += bytes
    return this.reserve(this.#grownBytes)
  }

  /** The mail is done with. More than once does no harm. */
  free(): void {
    const bytes = this.#heldBytes
    this.#heldBytes = 0
    if (bytes > 0) this.#take(-bytes)
  }
}
