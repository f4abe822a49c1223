import { type PageOptions, page } from '../../src/web/layout.ts'

/** Elements that only lay out their words, unless a script or a screen reader looks for them. */
const LAYOUT = /^<(?:\/|(?:br|div|label|li|p|section|span|strong|time|ul)(?![^>]* (?:id|role)=)[ >])/

/**
 * Lists what a page offers: its title, script, words, links, forms, fields and buttons, each on a line with its
 * attributes. Leaves out the layout and the header that all pages have.
 */
export function outlineOf(options: PageOptions): string {
  const text = page(options).toString()
  const title = /<title>([^<]*)/.exec(text)?.[1] ?? ''
  const script = /<script [^>]*>/.exec(text)?.[0] ?? 'no script'
  const main = text.slice(text.indexOf('<main'), text.indexOf('</main>'))
  const parts = (main.match(/<[^>]*>|[^<]+/g) ?? []).map((part) => part.trim())
  return [title, script, ...parts.filter((part) => part !== '' && !LAYOUT.test(part))].join('\n')
}
