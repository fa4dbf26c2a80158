/** Limits that more than one folder obeys; a limit of one folder stands where it is enforced. */

/** The longest text from outside (a peer's reply, a reason, a host name) that goes into log, audit or a report. */
export const FOREIGN_TEXT_MAX_CHARACTERS = 500

/** Text from outside as one line of printable characters, cut to `max`; for logs and for people. */
export function foreignText(text: string, max = FOREIGN_TEXT_MAX_CHARACTERS): string {
  if (text.length <= max && PLAIN.test(text)) return text
  // Twice the room is looked at, so that a run of control characters costs no unbounded work.
  const line = text
    .slice(0, 2 * max)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .toWellFormed()
  return line.length <= max ? line : `${line.slice(0, max - 1).toWellFormed()}…`
}

/** Most texts are: an address, a Message-ID, a word. */
const PLAIN = /^[!-~](?:[ -~]*[!-~])?$/

/** As `foreignText`, of all texts among `facts`. */
export function foreignTexts<Facts extends object>(facts: Facts): Facts & Readonly<Record<string, unknown>> {
  const clean = { ...facts } as Record<string, unknown>
  for (const name in clean) {
    const value = clean[name]
    if (typeof value === 'string') clean[name] = foreignText(value)
  }
  return clean as Facts & Readonly<Record<string, unknown>>
}
