/** From a YAML file and the environment to a `Config`; every mistake is named with its line and what to write instead. */
import { readFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { isMap, isNode, isPair, isScalar, LineCounter, parse, parseDocument, type Document } from 'yaml'
import { fail, ok, type Result } from '../base/result.ts'
import { parseDomain, type Domain } from '../message/address.ts'
import { allSettings } from './describe.ts'
import { configSchema, type Settings } from './schema.ts'
import { MESSAGE_IN_BUCKET_MAX_BYTES } from './store-schema.ts'

/** A configuration file larger than this is none. */
export const CONFIG_FILE_MAX_BYTES = 2 ** 20
const VARIABLE_PREFIX = 'SEALPOST_'

/** What the program runs by: all settings filled in, all paths absolute. */
export interface Config extends Omit<Settings, 'hostname'> {
  readonly hostname: Domain
  /** The file it was read from. */
  readonly file: string
}

/** One mistake; `where` is `file:line` or the name of an environment variable. */
export interface ConfigProblem {
  readonly where: string
  /** `listeners.mx.port` */
  readonly setting: string
  readonly message: string
}

/** Reads `file`. The error is a text of one line for each mistake. */
export async function loadConfig(
  file: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Result<Config>> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    return fail(`${file}: ${error instanceof Error ? error.message : String(error)}; is --config right?`)
  }
  const parsed = parseConfig(text, file, environment)
  return parsed.ok ? parsed : fail(parsed.error.map(formatProblem).join('\n'))
}

/** The same without I/O; `file` gives names to mistakes and a folder to relative paths. */
export function parseConfig(
  text: string,
  file: string,
  environment: Readonly<Record<string, string | undefined>>,
): Result<Config, readonly ConfigProblem[]> {
  const lines = new LineCounter()
  if (text.length > CONFIG_FILE_MAX_BYTES)
    return fail([{ where: basename(file), setting: '', message: `is larger than ${CONFIG_FILE_MAX_BYTES} bytes` }])
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
  const source: Source = { file: basename(file), document, lines, variables: new Map() }
  if (document.errors.length > 0)
    return fail(
      document.errors.map((error) => ({
        where: `${source.file}:${lines.linePos(error.pos[0]).line}`,
        setting: '',
        message: error.message,
      })),
    )
  if (document.contents !== null && !isMap(document.contents))
    return fail([
      { where: source.file, setting: '', message: 'holds no settings; write lines like "domains: [example.org]"' },
    ])
  const foreign = applyEnvironment(source, environment)
  const checked = configSchema.safeParse(document.toJS() ?? {}, { reportInput: true })
  if (foreign.length > 0 || !checked.success)
    return fail([...foreign, ...(checked.error?.issues ?? []).flatMap((issue) => problemsOf(source, issue))])
  return finish(checked.data, file, source)
}

export const formatProblem = ({ where, setting, message }: ConfigProblem): string =>
  setting === '' ? `${where}: ${message}` : `${where}: ${setting}: ${message}`

/** Environment variable of a setting: `listeners.mx.port` → `SEALPOST_LISTENERS_MX_PORT`. */
export function variableOf(setting: string): string {
  const words = setting.replace(/[A-Z]+/g, (capitals) => `_${capitals}`).replaceAll('.', '_')
  return VARIABLE_PREFIX + words.toUpperCase()
}

interface Source {
  readonly file: string
  readonly document: Document.Parsed
  readonly lines: LineCounter
  /** Setting → variable, for those that came from the environment. */
  readonly variables: Map<string, string>
}

/** Values are YAML, so that numbers, `true`, `null` and `[a, b]` can be given. */
function applyEnvironment(source: Source, environment: Readonly<Record<string, string | undefined>>): ConfigProblem[] {
  // every command comes by here, and to list all settings takes longer than to read a file
  if (!Object.keys(environment).some((name) => name.startsWith(VARIABLE_PREFIX))) return []
  const problems: ConfigProblem[] = []
  for (const { setting } of allSettings()) {
    const variable = variableOf(setting)
    const text = environment[variable]
    if (text === undefined) continue
    source.variables.set(setting, variable)
    try {
      source.document.setIn(setting.split('.'), parse(text))
    } catch {
      problems.push({ where: variable, setting, message: `cannot be set: "${text}" is no YAML, or its section is off` })
    }
  }
  return problems
}

type Issue = NonNullable<ReturnType<typeof configSchema.safeParse>['error']>['issues'][number]

function problemsOf(source: Source, issue: Issue): ConfigProblem[] {
  const path = issue.path.map(String)
  if (issue.code !== 'unrecognized_keys')
    return [{ where: whereIs(source, path), setting: path.join('.'), message: sentence(issue, path) }]
  const section = path.length === 0 ? '' : `${path.join('.')}.`
  const siblings = allSettings()
    .map(({ setting }) => setting)
    .filter((setting) => setting.startsWith(section))
  const names = [...new Set(siblings.map((setting) => setting.slice(section.length).split('.')[0]))]
  return issue.keys.map((key) => ({
    where: whereIs(source, [...path, key]),
    setting: `${section}${key}`,
    message: `there is no such setting${names.length === 0 ? '' : `; here can be ${names.join(', ')}`}`,
  }))
}

function sentence(issue: Issue, path: readonly string[]): string {
  const setting = path.join('.')
  const note = allSettings().find((each) => each.setting === setting)
  const values = note?.values.replaceAll('`', '') ?? (issue.code === 'invalid_value' ? issue.values.join(', ') : '')
  const write = values === '' ? '' : `; write ${values}`
  switch (issue.code) {
    case 'custom':
    case 'invalid_format':
      return issue.message
    case 'invalid_key':
      return issue.issues[0]?.message ?? issue.message
    case 'invalid_type':
      return issue.input === undefined ? `is missing${write}` : `cannot be ${shown(issue.input)}${write}`
    case 'invalid_value':
    case 'invalid_union':
      return `cannot be ${shown(issue.input)}${write}`
    case 'too_big':
    case 'too_small':
      return typeof issue.input === 'number' ? `cannot be ${issue.input}${write}` : issue.message
    case 'invalid_element':
    case 'not_multiple_of':
    case 'unrecognized_keys':
      return `${issue.message}${write}`
  }
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' && value !== null ? 'a section' : JSON.stringify(value)
}

/** The line of the setting, or of the section that it should be in. */
function whereIs(source: Source, path: readonly string[]): string {
  for (let length = path.length; length > 0; length--) {
    const variable = source.variables.get(path.slice(0, length).join('.'))
    if (variable !== undefined) return variable
    const parent = length === 1 ? source.document.contents : source.document.getIn(path.slice(0, length - 1), true)
    if (!isMap(parent)) continue
    const pair = parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === path[length - 1])
    if (pair !== undefined && isNode(pair.key) && pair.key.range)
      return `${source.file}:${source.lines.linePos(pair.key.range[0]).line}`
  }
  return source.file
}

const resolved = (folder: string, file: string | null): string | null => (file === null ? null : resolve(folder, file))

function finish(settings: Settings, file: string, source: Source): Result<Config, readonly ConfigProblem[]> {
  const folder = dirname(resolve(file))
  const hostname = settings.hostname ?? parseDomain(`mail.${settings.domains[0]}`)
  if (hostname === undefined)
    return fail([
      { where: whereIs(source, ['domains']), setting: 'hostname', message: 'is missing; write our host name' },
    ])
  const { messageSizeMaxBytes } = settings.limits
  if (settings.store.bucket !== null && messageSizeMaxBytes > MESSAGE_IN_BUCKET_MAX_BYTES)
    return fail([
      {
        where: whereIs(source, ['limits', 'messageSizeMaxBytes']),
        setting: 'limits.messageSizeMaxBytes',
        message: `is too much for store.bucket, where a message is one object; write ${MESSAGE_IN_BUCKET_MAX_BYTES} at most`,
      },
    ])
  return ok({
    ...settings,
    hostname,
    file: resolve(file),
    dataDir: resolve(folder, settings.dataDir),
    store: {
      ...settings.store,
      bucket: settings.store.bucket && {
        ...settings.store.bucket,
        secretKeyFile: resolve(folder, settings.store.bucket.secretKeyFile),
        caFile: resolved(folder, settings.store.bucket.caFile),
      },
    },
    accounts: {
      file: resolved(folder, settings.accounts.file),
      ldap: settings.accounts.ldap && {
        ...settings.accounts.ldap,
        caFile: resolved(folder, settings.accounts.ldap.caFile),
        bindPasswordFile: resolved(folder, settings.accounts.ldap.bindPasswordFile),
      },
    },
    relay: {
      ...settings.relay,
      credentials: Object.fromEntries(
        Object.entries(settings.relay.credentials).map(([host, { user, passwordFile }]) => [
          host,
          { user, passwordFile: resolve(folder, passwordFile) },
        ]),
      ),
    },
    submission: {
      ...settings.submission,
      sharedNetworks: settings.submission.sharedNetworks.map((shared) => ({
        ...shared,
        valueFile: resolve(folder, shared.valueFile),
      })),
    },
    tls: { certificate: resolve(folder, settings.tls.certificate), key: resolve(folder, settings.tls.key) },
  })
}
