/** A longer text is not cached, so that a peer cannot fill the memory with long headers. */
const MAX_CHARS = 256
const MAX_RESULTS = 4_096

/** Bounded cache of results for short texts. When it is full, all of them are dropped at once. */
export class Memo<T> {
  readonly #maxTexts: number
  readonly #results = new Map<string, T>()

  constructor(maxTexts: number) {
    this.#maxTexts = maxTexts
  }

  get(text: string): T | undefined {
    return this.#results.get(text)
  }

  keep(text: string, result: T): void {
    if (text.length > MAX_CHARS) return
    if (this.#results.size >= this.#maxTexts) this.#results.clear()
    this.#results.set(text, result)
  }
}

/** Memoizes a function of a short text. An `undefined` result is not cached. */
export function memoize<T>(compute: (text: string) => T): (text: string) => T {
  const memo = new Memo<T>(MAX_RESULTS)
  return (text) => {
    const kept = memo.get(text)
    if (kept !== undefined) return kept
    const result = compute(text)
    if (result !== undefined) memo.keep(text, result)
    return result
  }
}
