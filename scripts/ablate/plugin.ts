import { join } from 'node:path'
import type { Ablation, Edit } from './ablation.ts'
import { ABLATIONS } from './gates.ts'

/** The part of Vite's plugins that is used here. */
interface Transform {
  readonly name: string
  readonly enforce: 'pre'
  transform(code: string, id: string): string | undefined
}

/**
 * Removes the protection that `BRIDGEKEEPER_ABLATE` names by its number while tests run; sources stay unchanged.
 * `transform` throws an Error if the number is unknown.
 */
export function ablation(root: string): Transform {
  return {
    name: 'ablate',
    enforce: 'pre',
    transform(code, id) {
      const edits = chosen().edits.filter(({ file }) => join(root, file) === id)
      return edits.length === 0 ? undefined : edits.reduce(applied, code)
    },
  }
}

/** Looked up for each file: one Vitest runs many ablations. */
function chosen(): Ablation {
  const number = process.env.BRIDGEKEEPER_ABLATE
  const found = ABLATIONS[Number(number)]
  if (found !== undefined) return found
  throw new Error(`Ablation ${number} does not exist; give a number from 0 to ${ABLATIONS.length - 1}.`)
}

/** Applies an edit to a source. @throws Error if the edit no longer fits */
export function applied(code: string, edit: Edit): string {
  if ('within' in edit) return withFirst(code, edit.within, edit.first)
  const count = code.split(edit.find).length - 1
  if (count !== 1)
    throw new Error(`${edit.file} must contain ${edit.find} once, found it ${count} times; correct the edit`)
  return code.replace(edit.find, () => edit.replace)
}

/** Inserts a statement at the beginning of a function or method: after the first brace that ends a line. */
function withFirst(code: string, name: string, statement: string): string {
  const start = new RegExp(
    `^(?:export )?(?:async )?(?:function | {2}(?:async )?)${name}(?:<[^>]*>)?\\(`,
    'm',
  ).exec(code)
  const brace = start === null ? -1 : code.indexOf(' {\n', start.index)
  if (brace === -1) throw new Error(`The function ${name} does not exist; correct the edit.`)
  return `${code.slice(0, brace)} {\n${statement}\n${code.slice(brace + 3)}`
}
