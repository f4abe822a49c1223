/** Texts of requests that are remembered, so that a busy one is not read anew for each. */
const REMEMBERED = 4_096
/** What a client writes into a header may be long. */
const MAX_CHARS = 64

/** The same function, which looks up what it said of the last few thousand texts; `undefined` it says anew. */
export function remembered<T>(read: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>()
  return (text) => {
    const before = known.get(text)
    if (before !== undefined) return before
    const found = read(text)
    if (known.size >= REMEMBERED) known.clear()
    if (text.length <= MAX_CHARS) known.set(text, found)
    return found
  }
}
