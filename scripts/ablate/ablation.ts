/** A protection, the edits that remove it, and the tests of the attack that must then succeed. */
export interface Ablation {
  readonly gate: string
  readonly edits: readonly Edit[]
  /** Files whose tests must turn red. */
  readonly tests: readonly string[]
}

/** Result of an ablation. */
export interface Outcome {
  /** Title of a test that turned red. */
  readonly red?: string | undefined
  /** Why the run shows nothing. */
  readonly broken?: string | undefined
}

/** `first` becomes the first statement of the function or method; or `find`, which occurs once, is replaced. */
export type Edit =
  | { readonly file: string; readonly within: string; readonly first: string }
  | { readonly file: string; readonly find: string; readonly replace: string }

/** The first statement of a gate that lets everything pass. */
export const ALLOW = 'return { allowed: true, value: undefined }'

/** @param file its package and path in `src`, such as `bridge/gates/proof.ts` */
export function gate(file: string, within: string, first: string): Edit {
  return { file: sourceOf(file), within, first }
}

/** @param file its package and path in `src`, such as `bridge/gates/proof.ts` */
export function text(file: string, find: string, replace: string): Edit {
  return { file: sourceOf(file), find, replace }
}

function sourceOf(file: string): string {
  return `packages/${file.replace('/', '/src/')}`
}

export function attack(...names: string[]): string[] {
  return names.map((name) => `test/attack/${name}.test.ts`)
}
