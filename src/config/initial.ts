/** The text of a new configuration file. */
import { parseDocument, stringify } from 'yaml'
import type { SettingsInput } from './schema.ts'

/** YAML with what differs from the defaults; everything else is left to them, so that they can change with the program. */
export function initialConfigText(settings: SettingsInput): string {
  return `# Sealpost. Every setting and its default: docs/operating/configuration.md\n${stringify(settings)}`
}

/** The same file with its data beside it; comments stay. */
export function withDataBeside(text: string): string {
  const document = parseDocument(text)
  document.set('dataDir', '.')
  return document.toString()
}
