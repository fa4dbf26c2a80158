/**
 * How often a refusal may tell that something went wrong behind a decryption. Encryption without a tag (CBC) lets anybody
 * who has captured a mail send variants of it and learn from "250" and "550" what the padding was: some thousand answers
 * open a block. So only a few refusals a day are told for each recipient; after that such mail is taken with the same
 * "250" as a good one, and held for the postmaster (docs/decisions/0024-few-refusals-after-decryption.md).
 */
import { type Address, addressKey } from '../message/address.ts'
import type { Findings } from '../protection/jobs.ts'

export const TOLD_WINDOW_MS = 24 * 60 * 60_000
/** Recipients that are remembered; whoever is forgotten early is told as many again. */
const RECIPIENTS_MAX = 100_000

export class ToldRefusals {
  readonly #toldMax: () => number
  readonly #told = new Map<string, { readonly sinceMs: number; count: number }>()

  /** `toldMax`: for one recipient within `TOLD_WINDOW_MS`. */
  constructor(toldMax: () => number) {
    this.#toldMax = toldMax
  }

  /** Counts a refusal and says whether the sender may hear of it. */
  mayTell(recipient: Address, nowMs: number): boolean {
    const key = addressKey(recipient)
    const known = this.#told.get(key)
    const current = known !== undefined && nowMs - known.sinceMs < TOLD_WINDOW_MS ? known : { sinceMs: nowMs, count: 0 }
    current.count++
    this.#told.delete(key)
    this.#told.set(key, current)
    if (this.#told.size > RECIPIENTS_MAX) this.#told.delete(this.#told.keys().next().value ?? '')
    return current.count <= this.#toldMax()
  }
}

/** Did the recipient's private key do work on this mail? Then what became of it is nobody's business but the reader's. */
export const wasDecrypted = ({ layers }: Findings): boolean =>
  layers.some((layer) => layer.kind === 'encrypted' && layer.verdict !== 'no-key')
