import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import { ConfigError } from './config-error.ts'
import { lineAt, positionAt } from './position.ts'

/** A member of an object, with its line. */
export interface Member {
  readonly name: string
  readonly node: Node
  readonly line: number
}

export interface Document {
  readonly root: Node
  /** The members of an object node; none of any other node. */
  members(node: Node): readonly Member[]
  /** A string's value; a number or a boolean as it is written. `undefined` for anything else. */
  scalar(node: Node): string | undefined
  /** `line:column` of a node. */
  position(node: Node): string
}

/** Errors of a JSON parser at a single backslash in a Windows path. */
const ESCAPE_ERRORS: readonly string[] = ['InvalidEscapeCharacter', 'InvalidUnicode']
/** Matches the first line of TOML or YAML that is not a comment. */
const OTHER_FORMAT = /^(?:[ \t\r]*(?:#.*)?\n)*[ \t]*(?:\[\[?[\w."-]+\]|[\w."-]+\s*[=:]|---)/
const OTHER_FORMAT_HINT =
  'It looks like TOML or YAML. Write the servers into a JSON file with "mcpServers", and name it with --config FILE.'
/** Matches quotes and spaces as web pages and word processors show them. */
const COPIED = /^[\u2018-\u201F\u00A0\u00AD\u200B-\u200F\u2060\u3000\uFEFF]/
const COPIED_HINT =
  'There is a typographic quote or an unusual space, perhaps copied from a web page. Type it again as " or as a plain space.'
const PLACE_HINT = 'Correct that place; comments and trailing commas are fine.'
export const BACKSLASH_HINT =
  'In JSON, write each backslash of a path twice, as in "C:\\\\Users\\\\ann", or write "C:/Users/ann".'

/**
 * Reads JSON with comments and trailing commas.
 *
 * @throws ConfigError `config_malformed`, with line and column
 */
export function parseDocument(text: string): Document {
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { allowTrailingComma: true })
  const error = errors[0]
  if (error !== undefined) {
    const problem = printParseErrorCode(error.error)
    throw new ConfigError(
      'config_malformed',
      `The config file is not valid JSON, at line:column ${positionAt(text, error.offset)}: ${problem}.`,
      hintOf(problem, text, error.offset),
    )
  }
  if (root?.type !== 'object') throw misshapen('1:1', 'it must be one object')

  return {
    root,
    members: (node) =>
      (node.type === 'object' ? (node.children ?? []) : []).flatMap((property) => {
        const [key, value] = property.children ?? []
        if (key === undefined || value === undefined) return []
        return [{ name: String(key.value), node: value, line: lineAt(text, key.offset) }]
      }),
    scalar: (node) => {
      if (node.type === 'string') return String(node.value)
      if (node.type !== 'number' && node.type !== 'boolean') return undefined
      return text.slice(node.offset, node.offset + node.length)
    },
    position: (node) => positionAt(text, node.offset),
  }
}

function hintOf(problem: string, text: string, offset: number): string {
  if (ESCAPE_ERRORS.includes(problem)) return BACKSLASH_HINT
  if (COPIED.test(text.slice(offset))) return COPIED_HINT
  return OTHER_FORMAT.test(text) ? OTHER_FORMAT_HINT : PLACE_HINT
}

/** @throws ConfigError `config_malformed` */
export function rejectDuplicateKeys(members: readonly Member[], where: string): void {
  const seen = new Map<string, number>()
  for (const { name, line } of members) {
    const first = seen.get(name)
    if (first !== undefined)
      throw new ConfigError(
        'config_malformed',
        `"${name}" occurs twice ${where}, in lines ${first} and ${line}.`,
        'Remove one of them.',
      )
    seen.set(name, line)
  }
}

/** The kind of a value, in words. */
export function kindOf({ type }: Node): string {
  return { array: 'a list', string: 'text', object: 'an object', null: 'null' }[type as string] ?? `a ${type}`
}

/** @param where `line:column` */
export function misshapen(where: string, what: string): ConfigError {
  return new ConfigError(
    'config_malformed',
    `The config file has an unexpected structure at line:column ${where}: ${what}.`,
    PLACE_HINT,
  )
}
