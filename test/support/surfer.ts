import { request as httpRequest } from 'node:http'

const FOLLOWED: ReadonlySet<number> = new Set([302, 303, 307])

/** A page as the browser sees it. */
export interface Seen {
  readonly status: number
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly text: string
  readonly path: string
}

/** A headless browser: keeps cookies, follows redirects, and sends forms as shown. */
export class Surfer {
  readonly cookies = new Map<string, string>()
  readonly #origin: string
  readonly #userAgent: string
  readonly #from: string | undefined

  /** @param from where it connects from, within 127.0.0.0/8 */
  constructor(
    origin: string,
    userAgent = 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
    from: string | undefined = undefined,
  ) {
    this.#origin = origin
    this.#userAgent = userAgent
    this.#from = from
  }

  /** Follows redirects. */
  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Seen> {
    let seen = await this.send('GET', path, undefined, headers)
    for (let hops = 0; FOLLOWED.has(seen.status) && hops < 8; hops++)
      seen = await this.send('GET', this.#after(seen), undefined, headers)
    return seen
  }

  /** Sends the form of the page whose action has this ending, with these fields, and follows redirects. */
  async submit(
    page: Seen,
    action: string,
    fields: Readonly<Record<string, string>> = {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Seen> {
    const answer = await this.post(action, { ...hiddenFields(page.text, action), ...fields }, headers)
    return answer.status === 303 ? this.get(this.#after(answer)) : answer
  }

  /** Posts as a page of ours would, without following. */
  post(
    path: string,
    fields: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Seen> {
    const body = new URLSearchParams(fields).toString()
    const type = { 'content-type': 'application/x-www-form-urlencoded', origin: this.#origin }
    return this.send('POST', path, body, { ...type, ...headers })
  }

  /** Sends a request with the cookies; leaves out an empty header. */
  send(
    method: string,
    path: string,
    body?: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Seen> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const all = { 'user-agent': this.#userAgent, ...(cookie !== '' && { cookie }), ...headers }
    const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''))
    return new Promise((resolve, reject) => {
      const options = {
        method,
        headers: sent,
        ...(this.#from !== undefined && { localAddress: this.#from }),
      }
      const request = httpRequest(new URL(path, this.#origin), options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          this.#keep(response.headers['set-cookie'] ?? [])
          const headersSeen = new Map(
            Object.entries(response.headersDistinct).map(([name, values]) => [name, values ?? []]),
          )
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({ status: response.statusCode ?? 0, headers: headersSeen, text, path })
        })
      })
      request.on('error', reject)
      request.end(body)
    })
  }

  /** Returns the target of a redirect, without our origin. */
  #after({ path, headers }: Seen): string {
    const url = new URL(headers.get('location')?.[0] ?? '/', new URL(path, this.#origin))
    return url.origin === this.#origin ? url.pathname + url.search : url.href
  }

  #keep(setCookies: readonly string[]): void {
    for (const text of setCookies) {
      const [pair = ''] = text.split(';')
      const at = pair.indexOf('=')
      if (/;\s*max-age=0/i.test(text)) this.cookies.delete(pair.slice(0, at))
      else this.cookies.set(pair.slice(0, at), pair.slice(at + 1))
    }
  }
}

/** The values that the form brings along unseen. */
export function hiddenFields(text: string, action: string): Record<string, string> {
  const form = new RegExp(`<form[^>]*action="[^"]*${action}"[^>]*>(.*?)</form>`, 's').exec(text)?.[1]
  if (form === undefined) throw new Error(`There is no form for ${action} on the page:\n${text}`)
  const fields = [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)]
  return Object.fromEntries(fields.map(([, name = '', value = '']) => [name, unescaped(value)]))
}

/** Returns the visible text of a page. */
export function textOf(html: string): string {
  const body = html.slice(html.indexOf('<body>'))
  return unescaped(body.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' '))
}

function unescaped(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
}
