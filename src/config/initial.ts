/** The text of a new configuration file. */
import { stringify } from 'yaml'
import type { SettingsInput } from './schema.ts'

/** YAML with what differs from the defaults; everything else is left to them, so that they can change with the program. */
export function initialConfigText(settings: SettingsInput): string {
  return `# Sealpost. Every setting and its default: docs/operating/configuration.md\n${stringify(settings)}`
}
