/** What /readyz of a running server says. */
import assert from 'node:assert/strict'

export interface Ready {
  readonly status: number
  /** Why, by the name of the check. */
  readonly failing: Readonly<Record<string, string>>
}

/** `port`: of `listeners.http`. */
export async function readyAt(port: number): Promise<Ready> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`)
  const lines = (await response.text()).split('\n').filter(Boolean)
  const findings = lines.slice(1).map((line) => JSON.parse(line) as { check: string; ok: boolean; why?: string })
  assert.equal(lines[0], JSON.stringify({ ready: response.status === 200 }))
  return {
    status: response.status,
    failing: Object.fromEntries(findings.flatMap(({ check, ok, why }) => (ok ? [] : [[check, why ?? '']]))),
  }
}
