/** What `sealpost doctor` says: what was looked at, how it is, why that matters, and what to do. */

/** `broken`: mail is lost, refused or not protected because of it. `hint`: it works, and could be better. */
export type Level = 'ok' | 'hint' | 'warning' | 'broken'

export interface Finding {
  /** What was looked at: `MX of example.org`. */
  readonly check: string
  readonly level: Level
  /** How it is, in a sentence. */
  readonly finding: string
  /** Missing when all is well. */
  readonly why?: string
  /** What to do: a command, a setting, or the DNS record to publish. */
  readonly remedy?: string
}

/** The rest of a finding that is not good. */
export type Trouble = Required<Omit<Finding, 'check'>>

export const good = (check: string, finding: string): Finding => ({ check, level: 'ok', finding })

export const trouble = (
  check: string,
  level: Exclude<Level, 'ok'>,
  finding: string,
  { why, remedy }: Pick<Trouble, 'why' | 'remedy'>,
): Finding => ({ check, level, finding, why, remedy })

/** The name server could not be asked; another check says why. */
export const unanswered = (check: string, why: string): Finding =>
  trouble(check, 'warning', `cannot be looked up now: ${why}`, {
    why: 'What the DNS says could not be compared with what it should say.',
    remedy: 'Run "sealpost doctor" again when the name server answers.',
  })
