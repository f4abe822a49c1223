import { showOnFailure } from './last-seen.ts'

/** A page as a person has it before them. */
export interface Page {
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Address outside this site to which the browser was sent: the app that asked. */
  readonly left?: URL
}

interface Cookie {
  readonly value: string
  readonly path: string
}

const MAX_HOPS = 12

/**
 * A person with a headless browser: keeps cookies by path, follows redirects and self-submitting pages, sends
 * forms as shown, and stops where the site is left.
 */
export class Person {
  readonly #cookies = new Map<string, Cookie>()
  readonly #origin: string

  #last: Page | undefined

  constructor(origin: string) {
    this.#origin = origin
    showOnFailure('a person', () =>
      this.#last === undefined ? '' : `${this.#last.status} ${this.#last.url}\n${wordsOn(this.#last)}`,
    )
  }

  /** @param headers of the first request; a link on another site is followed with `sec-fetch-site: cross-site` */
  async visit(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Page> {
    return this.#follow(await this.send('GET', url, undefined, headers))
  }

  /** Sends the form on the page that has all of these hidden values, with more fields filled in. */
  async submit(
    page: Page,
    having: Readonly<Record<string, string>>,
    fields: Readonly<Record<string, string>> = {},
  ) {
    const { action, values } = formOn(page, having)
    const body = new URLSearchParams({ ...values, ...fields }).toString()
    return this.#follow(await this.send('POST', action, body, { origin: this.#origin }))
  }

  /** Sends a request with the cookies. */
  async send(
    method: string,
    url: string,
    body?: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Page> {
    const target = new URL(url, this.#origin)
    const cookie = [...this.#cookies]
      .filter(([, { path }]) => covers(path, target.pathname))
      .map(([name, { value }]) => `${name.split(' ')[0]}=${value}`)
      .join('; ')
    const response = await fetch(target, {
      method,
      redirect: 'manual',
      headers: {
        accept: 'text/html',
        ...(cookie !== '' && { cookie }),
        ...(body !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...headers,
      },
      ...(body !== undefined && { body }),
    })
    for (const line of response.headers.getSetCookie()) this.#keep(line)
    const { status } = response
    this.#last = { url: target.href, status, headers: response.headers, text: await response.text() }
    return this.#last
  }

  /** The cookies that scripts and others would love to have. */
  get cookies(): ReadonlyMap<string, Cookie> {
    return this.#cookies
  }

  /** Plants another browser's cookie into this one. */
  plant(name: string, cookie: Cookie): void {
    this.#cookies.set(`${name} ${cookie.path}`, cookie)
  }

  forget(name: string): void {
    for (const key of this.#cookies.keys()) if (key.split(' ')[0] === name) this.#cookies.delete(key)
  }

  async #follow(first: Page): Promise<Page> {
    let page = first
    for (let hop = 0; hop < MAX_HOPS; hop++) {
      const next = nextOf(page)
      if (next === undefined) return page
      const target = new URL(next, page.url)
      if (target.origin !== this.#origin) return { ...page, left: target }
      page = await this.send('GET', target.href)
    }
    throw new Error(`It leads around in circles: ${page.url}`)
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
    const at = pair.indexOf('=')
    const attribute = (name: string) =>
      attributes.find((text) => text.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1)
    const path = attribute('path') ?? '/'
    const key = `${pair.slice(0, at)} ${path}`
    const isGone = attribute('max-age') === '0' || attribute('expires')?.includes('1970') === true
    if (isGone) this.#cookies.delete(key)
    else this.#cookies.set(key, { value: pair.slice(at + 1), path })
  }
}

function nextOf({ status, headers, text }: Page): string | undefined {
  if (status >= 301 && status <= 308) return headers.get('location') ?? undefined
  const onward = /<meta http-equiv="refresh" content="0;url=([^"]*)">/.exec(text)?.[1]
  return onward === undefined ? undefined : unescaped(onward)
}

export function formOn(
  { text, url }: Page,
  having: Readonly<Record<string, string>>,
): { readonly action: string; readonly values: Record<string, string> } {
  const forms = [...text.matchAll(/<form[^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/gs)].map(
    ([, action = '', inner = '']) => ({
      action: unescaped(action),
      values: Object.fromEntries(
        [...inner.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(
          ([, name = '', value = '']) => [name, unescaped(value)],
        ),
      ),
    }),
  )
  const found = forms.find(({ action, values }) =>
    Object.entries(having).every(([name, value]) =>
      name === 'action' ? action === value : values[name] === value,
    ),
  )
  if (found === undefined)
    throw new Error(`There is no such form on ${url}:\n${text.slice(text.indexOf('<body>'))}`)
  return found
}

function covers(path: string, pathname: string): boolean {
  return pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`)
}

/** Returns the visible text of a page. */
export function wordsOn({ text }: Page): string {
  return unescaped(
    text
      .slice(text.indexOf('<body>'))
      .replaceAll(/<[^>]*>/g, ' ')
      .replaceAll(/\s+/g, ' '),
  )
}

function unescaped(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
}
