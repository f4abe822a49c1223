/** The browser of the demo's user: logs in, and approves the machine that the demo enrols. */

export interface Approval {
  /** Address of the bridge. */
  readonly url: string
  readonly email: string
  readonly password: string
  /** Page to approve the machine, with its code. */
  readonly page: string
  /** Words that the page must show. */
  readonly keyWords: string
}

/** Approves a machine by the pages and forms of the bridge, as its user would. @throws Error if a page is not as expected */
export async function approveMachine({ url, email, password, page, keyWords }: Approval): Promise<void> {
  const browser = new Browser(url)
  const login = await browser.get('/login')
  await browser.submit(login, 'action="/login"', { email, password })
  const asked = await browser.get(page)
  const confirm = await browser.submit(asked, 'name="user_code"')
  if (!confirm.includes(keyWords))
    throw new Error("The bridge's page does not show the words of this machine's key.")
  const done = await browser.submit(confirm, 'name="confirm"')
  if (!done.includes('The machine was approved.')) throw new Error('The bridge did not approve the machine.')
}

const MAX_HOPS = 8
const FORM = /<form[^>]*action="([^"]*)".*?<\/form>/gs
const FIELD = /<input[^>]*name="([^"]*)"[^>]*>/g
const VALUE = / value="([^"]*)"/
const REFRESH = /<meta http-equiv="refresh" content="0;url=([^"]*)">/

/** A browser without scripts: keeps cookies, follows redirects, and sends forms as they stand on the page. */
class Browser {
  readonly #url: string
  readonly #cookies = new Map<string, string>()

  constructor(url: string) {
    this.#url = url
  }

  async get(path: string): Promise<string> {
    return this.#load(path, undefined)
  }

  /** @param mark text in the one form to send */
  async submit(page: string, mark: string, fields: Readonly<Record<string, string>> = {}): Promise<string> {
    const [form = '', action] = [...page.matchAll(FORM)].find(([text]) => text.includes(mark)) ?? []
    if (action === undefined) throw new Error(`The bridge's page has no form with ${mark}.`)
    const given = [...form.matchAll(FIELD)].map(([input, name = '']) => [
      name,
      unescaped(VALUE.exec(input)?.[1] ?? ''),
    ])
    return this.#load(unescaped(action), { ...Object.fromEntries(given), ...fields })
  }

  async #load(path: string, fields: Readonly<Record<string, string>> | undefined): Promise<string> {
    let target = new URL(path, this.#url)
    let body = fields && new URLSearchParams(fields)
    for (let hop = 0; hop < MAX_HOPS; hop++) {
      if (target.origin !== new URL(this.#url).origin)
        throw new Error(`The bridge leads on to ${target.origin}.`)
      const response = await fetch(target, {
        method: body === undefined ? 'GET' : 'POST',
        redirect: 'manual',
        headers: { cookie: this.#cookieHeader(target), ...(body !== undefined && { origin: target.origin }) },
        ...(body !== undefined && { body }),
      })
      for (const line of response.headers.getSetCookie()) this.#keep(line)
      const text = await response.text()
      const next = response.headers.get('location') ?? REFRESH.exec(text)?.[1]
      if (next === undefined) return text
      target = new URL(unescaped(next), target)
      body = undefined
    }
    throw new Error('The pages of the bridge lead around in circles.')
  }

  #cookieHeader({ pathname }: URL): string {
    const sent = [...this.#cookies].filter(([key]) => pathname.startsWith(key.slice(key.indexOf(' ') + 1)))
    return sent.map(([key, value]) => `${key.slice(0, key.indexOf(' '))}=${value}`).join('; ')
  }

  /** Keeps a cookie under its name and path. */
  #keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]*)=([^;]*)/.exec(line) ?? []
    const path = /;\s*path=([^;]*)/i.exec(line)?.[1] ?? '/'
    const isGone = /;\s*(?:max-age=0|expires=Thu, 01 Jan 1970)/i.test(line)
    if (isGone) this.#cookies.delete(`${name} ${path}`)
    else this.#cookies.set(`${name} ${path}`, value)
  }
}

function unescaped(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
}
