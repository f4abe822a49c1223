/** One protection, how to take it out, and the attack that must then succeed. */
export interface Ablation {
  readonly gate: string
  readonly edits: readonly Edit[]
  /** Files whose tests must turn red. */
  readonly tests: readonly string[]
}

/** `first` becomes the first statement of the function or method; or `find`, which occurs once, is replaced. */
export type Edit =
  | { readonly file: string; readonly within: string; readonly first: string }
  | { readonly file: string; readonly find: string; readonly replace: string }

/** The first statement of a gate that lets everything pass. */
export const ALLOW = 'return { allowed: true, value: undefined }'

/** @param file below the server's sources */
export function gate(file: string, within: string, first: string): Edit {
  return { file: `packages/server/src/${file}`, within, first }
}

/** @param file below the server's sources */
export function text(file: string, find: string, replace: string): Edit {
  return { file: `packages/server/src/${file}`, find, replace }
}

export function attack(...names: string[]): string[] {
  return names.map((name) => `test/attack/${name}.test.ts`)
}
