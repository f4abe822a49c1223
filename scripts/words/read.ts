import { type Comment, type Expression, parseSync, Visitor } from 'oxc-parser'
import type { Source } from '../sources.ts'

/** A text for people, as it stands in its file. */
export interface Passage {
  readonly kind: 'comment' | 'title' | 'message' | 'prose'
  /** Index in the file's text. */
  readonly start: number
  /** Includes the marks of a comment and the quotes of a literal. */
  readonly text: string
}

const TITLED = /^(?:test|it|describe)/

/**
 * Finds the comments and test titles of a file, and in product code every string.
 * @throws Error if the file does not parse
 */
export function readPassages({ path, text }: Source): Passage[] {
  const { program, comments, errors } = parseSync(path, text)
  const [error] = errors
  if (error !== undefined) throw new Error(`${path} does not parse: ${error.message}`)
  const passages: Passage[] = []

  function add(kind: Passage['kind'], { start, end }: { start: number; end: number }): void {
    passages.push({ kind, start, text: text.slice(start, end) })
  }

  for (const comment of joined(comments, text)) add('comment', comment)
  const isProduct = /^packages\/[^/]+\/src\//.test(path)
  new Visitor({
    CallExpression: ({ callee, arguments: [title] }) => {
      if (title === undefined || !TITLED.test(rootName(callee))) return
      if (title.type === 'Literal' || title.type === 'TemplateLiteral') add('title', title)
    },
    Literal: (node) => {
      if (isProduct && typeof node.value === 'string') add('message', node)
    },
    TemplateElement: (node) => {
      if (isProduct) add('message', node)
    },
  }).visit(program)
  return passages
}

/** Reads the prose of a Markdown page: everything except code, which may quote any words. */
export function readProse({ text }: Source): Passage {
  const prose = text.replace(/^```[\s\S]*?^```|`[^`\n]*`/gm, (code) => code.replace(/[^\n]/g, ' '))
  return { kind: 'prose', start: 0, text: prose }
}

/** Joins line comments on consecutive lines, which are one text. */
function joined(comments: readonly Comment[], text: string): { start: number; end: number }[] {
  const blocks: { start: number; end: number; isLine: boolean }[] = []
  for (const { type, start, end } of comments) {
    const last = blocks.at(-1)
    const isLine = type === 'Line'
    if (last?.isLine && isLine && /^\r?\n[ \t]*$/.test(text.slice(last.end, start))) last.end = end
    else blocks.push({ start, end, isLine })
  }
  return blocks
}

/** Returns the first name of a call such as `test.skipIf(…).each(…)`. */
function rootName(callee: Expression): string {
  switch (callee.type) {
    case 'Identifier':
      return callee.name
    case 'MemberExpression':
      return rootName(callee.object)
    case 'CallExpression':
      return rootName(callee.callee)
    default:
      return ''
  }
}
