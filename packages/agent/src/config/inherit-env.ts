import type { Node } from 'jsonc-parser'
import type { Document } from './document.ts'

/** A variable's name, or its beginning and a star. A star alone would hand over every secret. */
const NAME = /^[A-Za-z_][\w()]*\*?$/

/** Reads a list of variable names; `undefined` for any other value. */
export function readInheritEnv(node: Node | undefined, document: Document): readonly string[] | undefined {
  if (node === undefined || node.type === 'null') return []
  if (node.type !== 'array') return undefined
  const names = (node.children ?? []).map((child) => document.scalar(child) ?? '')
  return names.every((name) => NAME.test(name)) ? names : undefined
}
