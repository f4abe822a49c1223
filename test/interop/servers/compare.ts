import type { Survey } from './survey.ts'

/** Answers through the bridge beside direct ones. */
export interface Comparison {
  readonly equal: number
  /** Requests to which the server gives another answer each time. */
  readonly varying: readonly string[]
  readonly differing: readonly {
    readonly name: string
    readonly direct: string | undefined
    readonly through: string | undefined
  }[]
}

/**
 * Compares the answers as text.
 * @param direct two surveys of the server itself
 * @param through a survey through the bridge; `undefined` for a direct one only
 */
export function compare([one, other]: readonly [Survey, Survey], through: Survey | undefined): Comparison {
  const names = [...new Set([...one.keys(), ...(through?.keys() ?? [])])]
  const isVarying = (name: string) => one.get(name) !== other.get(name)
  const varying = names.filter(isVarying)
  const differing = names
    .filter((name) => !isVarying(name) && one.get(name) !== through?.get(name))
    .map((name) => ({ name, direct: one.get(name), through: through?.get(name) }))
  return { equal: names.length - varying.length - differing.length, varying, differing }
}
