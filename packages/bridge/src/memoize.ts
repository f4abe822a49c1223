/** Results kept; at this number all are dropped at once. */
const MAX_RESULTS = 4_096
/** A longer text is computed every time, so that a peer cannot fill the memory with long headers. */
const MAX_CHARS = 256

/** Memoizes a function of a short text. An `undefined` result is not kept. */
export function memoize<T>(compute: (text: string) => T): (text: string) => T {
  const results = new Map<string, T>()
  return (text) => {
    const kept = results.get(text)
    if (kept !== undefined) return kept
    const result = compute(text)
    if (results.size >= MAX_RESULTS) results.clear()
    if (text.length <= MAX_CHARS) results.set(text, result)
    return result
  }
}
