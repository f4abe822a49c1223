const MAX_TEXTS = 1_000
const MAX_CHARS = 256

/** What came of short texts that come again and again. With too many of them, all are forgotten at once. */
export class Memo {
  readonly #known = new Map<string, string>()

  get(text: string): string | undefined {
    return text.length > MAX_CHARS ? undefined : this.#known.get(text)
  }

  keep(text: string, made: string): void {
    if (this.#known.size >= MAX_TEXTS) this.#known.clear()
    this.#known.set(text, made)
  }
}
