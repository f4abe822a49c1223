/** Escaped HTML. Only `html` creates it, so that foreign text is always escaped. */
export class Html {
  readonly #text: string

  private constructor(text: string) {
    this.#text = text
  }

  /** For constant text only. */
  static trusted(text: string): Html {
    return new Html(text)
  }

  toString(): string {
    return this.#text
  }
}

/** Values of a template; `undefined` and `false` render nothing. */
export type HtmlValue = Html | string | number | undefined | false | readonly HtmlValue[]

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/**
 * [PAGE.1] HTML from a template: escapes every value that is not an `Html` for text and for quoted
 * attributes. Not for values inside `<script>`, `<style>`, URLs' schemes or unquoted attributes, which our
 * pages do not have.
 */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return Html.trusted(
    strings.map((text, at) => text + (at < values.length ? written(values[at]) : '')).join(''),
  )
}

function written(value: HtmlValue): string {
  if (value === undefined || value === false) return ''
  if (value instanceof Html) return value.toString()
  if (typeof value === 'object') return value.map(written).join('')
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}
