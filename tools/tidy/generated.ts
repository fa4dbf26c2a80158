/** Documents that are written by the code: the committed copy equals what the code says today. */
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Finding } from './source.ts'

export interface GeneratedDocument {
  readonly document: string
  readonly module: string
  /** A function of the module, without arguments, that returns the whole text. */
  readonly function: string
}

/** Compares; with `write`, puts the new text in place. A module that is not there yet generates nothing. */
export async function checkGenerated(
  root: string,
  documents: readonly GeneratedDocument[],
  files: ReadonlySet<string>,
  write: boolean,
): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { document, module, function: name } of documents.filter((each) => files.has(each.module))) {
    const exported = (await import(pathToFileURL(path.join(root, module)).href)) as Record<string, unknown>
    const describe = exported[name]
    if (typeof describe !== 'function') {
      findings.push({
        path: module,
        line: 1,
        rule: 'generated',
        text: `exports no ${name}(), which writes ${document}`,
      })
      continue
    }
    const wanted = String((describe as () => unknown)())
    const committed = await readFile(path.join(root, document), 'utf8').catch(() => undefined)
    if (committed === wanted) continue
    if (write) await writeFile(path.join(root, document), wanted)
    else
      findings.push({
        path: document,
        line: 1,
        rule: 'generated',
        text: `differs from ${module}: tools/tidy.ts --write`,
      })
  }
  return findings
}
