/** How `peel` reaches the parts of a message: whole in memory, or, when they are too large for that, piece by piece. */
import type { OpenSpill, Spill } from '../base/byte-range.ts'
import { type LargePart, walkLarge } from '../message/large-part.ts'
import { walk } from '../message/mime-tree.ts'
import type { Defect, Part } from '../message/part.ts'
import { isGarbled, isLargeGarbled } from './garbled.ts'
import type { KeyRing, LayerKind, Opened, ProtectionStandard } from './standard.ts'

export interface Reach<P> {
  /** Its header, and the beginning of its body at least. */
  preview(part: P): Part
  /** The preview is all of it. */
  isWhole(part: P): boolean
  open(standard: ProtectionStandard, part: P, ring: KeyRing): Opened<P>
  /**
   * The parts below this one that are protected, and what is wrong in the tree; what is beyond limits is among that.
   * `kindOf` is shown every part, some of them more than once.
   */
  lookInside(part: P, kindOf: KindOf): Inside
  /** Whether its texts show that a ciphertext was changed. */
  isGarbled(part: P): boolean
}

type KindOf = (part: Part) => LayerKind | undefined

interface Inside {
  readonly errant: readonly LayerKind[]
  readonly defects: readonly Defect[]
}

export const inMemory: Reach<Part> = {
  preview: (part) => part,
  isWhole: () => true,
  open: (standard, part, ring) => standard.open(part, ring),
  lookInside(root, kindOf) {
    const { parts, defects } = walk(root)
    return { errant: parts.flatMap(({ part, depth }) => (depth > 0 && kindOf(part)) || []), defects }
  },
  isGarbled,
}

/** Each layer's content lies in a spill; there is one at a time, and the last one is there until `close`. */
export class OnDisk implements Reach<LargePart>, Disposable {
  readonly #openSpill: OpenSpill
  readonly #spills = new Set<Spill>()

  constructor(openSpill: OpenSpill) {
    this.#openSpill = openSpill
  }

  preview(part: LargePart): Part {
    return part.preview
  }

  isWhole({ preview, bytes }: LargePart): boolean {
    return preview.raw.length === bytes.lengthBytes
  }

  open(standard: ProtectionStandard, part: LargePart, ring: KeyRing): Opened<LargePart> {
    const opened = standard.openLarge(part, ring, () => {
      const spill = this.#openSpill()
      this.#spills.add(spill)
      return spill
    })
    this.#dropAllBut('inner' in opened ? opened.inner : part)
    return opened
  }

  lookInside(root: LargePart, kindOf: KindOf): Inside {
    const errant: LayerKind[] = []
    const defects = walkLarge(root, ({ preview }, { depth }) => {
      const kind = depth > 0 ? kindOf(preview) : undefined
      if (kind !== undefined) errant.push(kind)
    })
    return { errant, defects }
  }

  isGarbled(part: LargePart): boolean {
    return isLargeGarbled(part)
  }

  [Symbol.dispose](): void {
    this.#dropAllBut(undefined)
  }

  #dropAllBut(part: LargePart | undefined): void {
    for (const spill of this.#spills) {
      if (part !== undefined && spill.holds(part.bytes)) continue
      spill.drop()
      this.#spills.delete(spill)
    }
  }
}
