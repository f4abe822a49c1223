import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import { ConfigError } from './config-error.ts'

/** One member of an object, and the line that it stands on. */
export interface Member {
  readonly name: string
  readonly node: Node
  readonly line: number
}

export interface Document {
  readonly root: Node
  /** The members of an object node; none of any other node. */
  members(node: Node): readonly Member[]
}

/**
 * Reads JSON with comments and trailing commas.
 *
 * @throws ConfigError `config_malformed`, with line and column
 */
export function parseDocument(text: string): Document {
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { allowTrailingComma: true })
  const lineAt = (offset: number) => text.slice(0, offset).split('\n').length
  const error = errors[0]
  if (error !== undefined) {
    const column = error.offset - text.lastIndexOf('\n', error.offset - 1)
    throw malformed(`${lineAt(error.offset)}:${column}: ${printParseErrorCode(error.error)}`)
  }
  if (root?.type !== 'object') throw malformed('1:1: not an object')

  return {
    root,
    members: (node) =>
      (node.type === 'object' ? (node.children ?? []) : []).flatMap((property) => {
        const [key, value] = property.children ?? []
        if (key === undefined || value === undefined) return []
        return [{ name: String(key.value), node: value, line: lineAt(key.offset) }]
      }),
  }
}

/** The first name that occurs twice, with both lines. */
export function findDuplicate(
  members: readonly Member[],
): { readonly name: string; readonly lines: readonly [number, number] } | undefined {
  const seen = new Map<string, number>()
  for (const { name, line } of members) {
    const first = seen.get(name)
    if (first !== undefined) return { name, lines: [first, line] }
    seen.set(name, line)
  }
  return undefined
}

function malformed(where: string): ConfigError {
  return new ConfigError(
    'config_malformed',
    `The config file is not valid JSON, at line:column ${where}.`,
    'Correct that place; comments and trailing commas are fine.',
  )
}
