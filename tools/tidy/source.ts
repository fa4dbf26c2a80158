/** One TypeScript file as the rules of tidy see it: what it imports, exports, calls, says in comments, and its sizes. */
import path from 'node:path'
import { parseSync, visitorKeys } from 'oxc-parser'

/** Something that breaks a rule of docs/architecture.md or docs/decisions. */
export interface Finding {
  readonly path: string
  readonly line: number
  readonly rule: string
  readonly text: string
}

export interface ImportedName {
  readonly specifier: string
  /** Path from the repository root when the specifier is relative. */
  readonly target: string | undefined
  /** As the other file calls them; empty for a whole namespace, a side effect, a re-export or import(). */
  readonly names: readonly string[]
  readonly isType: boolean
  readonly line: number
}

export interface FunctionSize {
  readonly name: string
  readonly line: number
  readonly lines: number
}

export interface SourceFile {
  /** From the repository root, with slashes. */
  readonly path: string
  readonly text: string
  readonly lines: number
  readonly isTest: boolean
  readonly imports: readonly ImportedName[]
  readonly exportedNames: readonly string[]
  readonly defaultExportLine: number | undefined
  /** True when there is nothing in it but exports of what other files hold. */
  readonly isBarrel: boolean
  readonly functions: readonly FunctionSize[]
  readonly comments: readonly { readonly text: string; readonly line: number }[]
  /** Uses of names that the file does not declare: `process`, `Date.now()`, `new Date()` … */
  readonly globals: readonly { readonly name: string; readonly line: number }[]
}

/** A test, or a part of one that several share. */
const TEST_FILE = /(?:\.test|\/conformance\/[^/]+)\.ts$/

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

export function readSource(filePath: string, text: string): SourceFile {
  const parsed = parseSync(filePath, text)
  if (parsed.errors.length > 0) throw new Error(`${filePath}: ${parsed.errors[0]?.message ?? 'cannot be parsed'}`)
  const lineOf = lineFinder(text)
  const facts = new Facts(lineOf)
  facts.visit(parsed.program as unknown as Node, undefined, '')
  const named = parsed.module.staticImports.map(({ moduleRequest, entries }) => ({
    specifier: moduleRequest.value,
    names: entries.every((entry) => entry.importName.name) ? entries.map((entry) => entry.importName.name ?? '') : [],
    isType: entries.length > 0 && entries.every((entry) => entry.isType),
    line: lineOf(moduleRequest.start),
  }))
  const reExported = parsed.module.staticExports
    .flatMap((each) => each.entries)
    .flatMap(({ moduleRequest: from, isType }) => (from === null ? [] : { ...from, isType }))
    .map(({ value, start, isType }) => ({ specifier: value, names: [], isType, line: lineOf(start) }))
  const exports = parsed.module.staticExports.flatMap((each) => each.entries)
  const defaultExport = exports.find(
    ({ exportName }) => `${exportName.kind} ${exportName.name}` === 'Default null' || exportName.name === 'default',
  )
  return {
    path: filePath,
    text,
    lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    isTest: TEST_FILE.test(filePath),
    imports: [...named, ...reExported, ...facts.dynamicImports].map((each) => ({
      ...each,
      target: targetOf(filePath, each.specifier),
    })),
    exportedNames: exports.flatMap((e) => e.exportName.name ?? []),
    defaultExportLine: defaultExport === undefined ? undefined : lineOf(defaultExport.start),
    isBarrel: facts.statements.length > 0 && facts.statements.every(isReExport),
    functions: facts.functions,
    comments: parsed.comments.map((each) => ({ text: each.value, line: lineOf(each.start) })),
    globals: facts.globals(),
  }
}

/** The package of a bare specifier: `nodemailer/lib/x` → `nodemailer`, `@a/b/c` → `@a/b`. */
export function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

function targetOf(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? path.posix.join(path.posix.dirname(from), specifier) : undefined
}

function isReExport(statement: Node): boolean {
  if (statement.type === 'ExportAllDeclaration') return true
  return statement.type === 'ExportNamedDeclaration' && statement['source'] !== null
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    const after = starts.findIndex((start) => start > offset)
    return after === -1 ? starts.length : after
  }
}

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'])
/** Where an identifier is a label, not the use of a variable. */
const LABELS = new Set(['property', 'key', 'label', 'exported', 'imported', 'typeName', 'typeAnnotation'])
/** Where an identifier declares a name of the file's own. */
const DECLARED_AT = new Set(['id', 'params', 'local', 'param', 'elements', 'argument', 'left'])
const DECLARATIONS = new Set([
  ...FUNCTIONS,
  'VariableDeclarator',
  'ClassDeclaration',
  'ImportSpecifier',
  'ImportDefaultSpecifier',
  'ImportNamespaceSpecifier',
  'CatchClause',
  'AssignmentPattern',
])

class Facts {
  readonly functions: FunctionSize[] = []
  readonly dynamicImports: Omit<ImportedName, 'target'>[] = []
  statements: readonly Node[] = []
  readonly #uses: { name: string; root: string; line: number }[] = []
  readonly #declared = new Set<string>()
  readonly #lineOf: (offset: number) => number

  constructor(lineOf: (offset: number) => number) {
    this.#lineOf = lineOf
  }

  globals(): { name: string; line: number }[] {
    return this.#uses.filter((use) => !this.#declared.has(use.root)).map(({ name, line }) => ({ name, line }))
  }

  visit(node: Node, parent: Node | undefined, key: string): void {
    if (node.type === 'Program') this.statements = node['body'] as Node[]
    if (FUNCTIONS.has(node.type)) this.#function(node, parent)
    if (node.type === 'ImportExpression') this.#dynamicImport(node)
    if (node.type === 'Identifier') this.#identifier(node, parent, key)
    for (const name of visitorKeys[node.type] ?? []) {
      const child = node[name]
      const children = Array.isArray(child) ? (child as (Node | null)[]) : [child as Node | null | undefined]
      for (const each of children) if (each !== null && each !== undefined) this.visit(each, node, name)
    }
  }

  #function(node: Node, parent: Node | undefined): void {
    const callee = parent?.type === 'CallExpression' ? (parent['callee'] as { name?: string }).name : undefined
    if (callee === 'describe' || callee === 'suite') return // a heading over tests, each of which is measured
    const named = (node['id'] ?? parent?.['id'] ?? parent?.['key']) as { name?: string } | null | undefined
    const line = this.#lineOf(node.start)
    const lines = this.#lineOf(node.end) - line + 1
    this.functions.push({ name: named?.name ?? 'a function', line, lines })
  }

  #dynamicImport(node: Node): void {
    const source = node['source'] as Node
    const specifier = typeof source['value'] === 'string' ? source['value'] : '(computed)'
    this.dynamicImports.push({ specifier, names: [], isType: false, line: this.#lineOf(node.start) })
  }

  #identifier(node: Node, parent: Node | undefined, key: string): void {
    const name = node['name'] as string
    if (parent !== undefined && DECLARATIONS.has(parent.type) && DECLARED_AT.has(key)) this.#declared.add(name)
    if (LABELS.has(key) && parent?.['computed'] !== true) return
    this.#uses.push({ name: useOf(name, node, parent, key), root: name, line: this.#lineOf(node.start) })
  }
}

/** `Date.now`, `new Date()`, `Date()` or just the name. */
function useOf(name: string, node: Node, parent: Node | undefined, key: string): string {
  if (parent?.type === 'MemberExpression' && key === 'object' && parent['computed'] !== true)
    return `${name}.${(parent['property'] as { name?: string }).name ?? ''}`
  if (parent?.type === 'NewExpression' && parent['callee'] === node)
    return (parent['arguments'] as unknown[]).length === 0 ? `new ${name}()` : `new ${name}(…)`
  if (parent?.type === 'CallExpression' && parent['callee'] === node) return `${name}()`
  return name
}
