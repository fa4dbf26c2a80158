/** The manual of the configuration, made from the schema. */
import { z } from 'zod'
import { configSchema } from './schema.ts'

/** One setting that has a value of its own (not a section). */
export interface SettingNote {
  /** `listeners.mx.port` */
  readonly setting: string
  /** What may be written, in words: `a whole number from 0 to 65535`. */
  readonly values: string
  /** As YAML; `undefined` when it must be given. */
  readonly fallback: string | undefined
  readonly meaning: string
}

interface Section {
  readonly name: string
  readonly meaning: string
  readonly settings: SettingNote[]
}

/** What is used of JSON Schema here. */
interface SchemaNode {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly items?: SchemaNode
  readonly additionalProperties?: SchemaNode | boolean
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly anyOf?: readonly SchemaNode[]
}

/** The text of docs/operating/configuration.md. */
export function describeConfig(): string {
  const lines = [...INTRODUCTION]
  for (const section of sections()) {
    lines.push(`## ${section.name === '' ? 'At the top' : section.name}`, '')
    if (section.meaning !== '') lines.push(section.meaning, '')
    for (const { setting, values, fallback, meaning } of section.settings) {
      const otherwise = fallback === undefined ? 'required' : `default \`${fallback}\``
      lines.push(`- \`${setting}\` (${values}; ${otherwise}): ${meaning}`)
    }
    lines.push('')
  }
  return lines.join('\n').trimEnd() + '\n'
}

let settings: readonly SettingNote[] | undefined

/** Every setting, in the order of the schema. */
export function allSettings(): readonly SettingNote[] {
  settings ??= sections().flatMap((section) => section.settings)
  return settings
}

const INTRODUCTION = [
  '# Configuration',
  '',
  '<!-- Made from src/config/schema.ts; change it there. -->',
  '',
  'One YAML file, `sealpost.yaml` unless `--config` says otherwise. Only `domains` must be given. A setting that is not in',
  'this list is an error, so a misspelt one is found at the start.',
  '',
  'Every setting can be given in the environment too, which wins: `listeners.mx.port` is `SEALPOST_LISTENERS_MX_PORT`,',
  '`dataDir` is `SEALPOST_DATA_DIR`. The value is YAML. `SEALPOST_MASTER_KEY` holds the master key (64 hex digits) in place',
  'of the file `master.key` in the data folder.',
  '',
]

function sections(): Section[] {
  const root = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as SchemaNode
  const top: Section = { name: '', meaning: '', settings: [] }
  const found = [top]
  for (const [name, node] of Object.entries(root.properties ?? {})) {
    if (node.properties === undefined) {
      top.settings.push(noteOf(name, node))
      continue
    }
    const section: Section = { name, meaning: node.description ?? '', settings: [] }
    collect(section, name, node)
    found.push(section)
  }
  return found
}

function collect(section: Section, path: string, node: SchemaNode): void {
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const setting = `${path}.${name}`
    const object = child.anyOf?.find((each) => each.properties !== undefined)
    if (object !== undefined) {
      section.settings.push({
        setting,
        values: '`null`, or as follows',
        fallback: child.default === null ? 'null' : 'on',
        meaning: child.description ?? '',
      })
      collect(section, setting, object)
    } else section.settings.push(noteOf(setting, child))
  }
}

function noteOf(setting: string, node: SchemaNode): SettingNote {
  return {
    setting,
    values: valuesOf(node),
    fallback: node.default === undefined ? undefined : JSON.stringify(node.default),
    meaning: node.description ?? '',
  }
}

function valuesOf(node: SchemaNode): string {
  if (node.enum !== undefined) return node.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (node.anyOf !== undefined)
    return node.anyOf
      .toSorted((a, b) => Number(b.type === 'null') - Number(a.type === 'null'))
      .map((each) => (each.items?.enum === undefined ? valuesOf(each) : 'a list of these'))
      .join(' or ')
  if (node.items?.enum !== undefined) return `a list of ${valuesOf(node.items)}`
  if (node.type === 'integer') return `a whole number from ${node.minimum ?? 0} to ${node.maximum ?? 0}`
  return (node.type && WORDS[node.type]) ?? 'text'
}

const WORDS: Readonly<Record<string, string>> = {
  boolean: '`true` or `false`',
  null: '`null`',
  array: 'a list',
  object: 'names and values',
}
