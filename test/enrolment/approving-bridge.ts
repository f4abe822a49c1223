import type { IncomingMessage, ServerResponse } from 'node:http'
import { startDevices } from '../../packages/bridge/test/support/device-world.ts'

/** Parameters of a request at the device authorization endpoint. */
export interface Asked {
  readonly userCode: string
  readonly deviceCode: string
  readonly form: URLSearchParams
}

type Json = Readonly<Record<string, unknown>>

/**
 * The real device endpoints with an authorization server under the test's control, which may answer anything.
 */
export async function startApprovingBridge() {
  const at = await startDevices()
  const asked: Asked[] = []
  /** Answers by device code; a missing one is pending. */
  const answers = new Map<string, readonly [status: number, json: Json]>()
  /** Answers by path, in place of the usual ones. */
  const odd = new Map<string, (response: ServerResponse) => void>()
  const waiting: (() => void)[] = []
  const wake = () => {
    for (const resume of waiting.splice(0)) resume()
  }

  const routes: Readonly<Record<string, (form: URLSearchParams) => readonly [number, Json]>> = {
    '/.well-known/oauth-authorization-server': () => [
      200,
      {
        issuer: at.url,
        device_authorization_endpoint: `${at.url}/oauth/device`,
        token_endpoint: `${at.url}/oauth/token`,
      },
    ],
    '/oauth/device': (form) => {
      const count = asked.length + 1
      const [deviceCode, userCode] = [`device-code-${count}`, `CODE-${count}000`]
      asked.push({ deviceCode, userCode, form })
      const page = `${at.url}/device`
      const uris = { verification_uri: page, verification_uri_complete: `${page}?user_code=${userCode}` }
      return [200, { device_code: deviceCode, user_code: userCode, ...uris, expires_in: 600, interval: 0.05 }]
    },
    '/oauth/token': (form) => {
      return answers.get(form.get('device_code') ?? '') ?? [400, { error: 'authorization_pending' }]
    },
  }

  at.before.push((request, response) => {
    const { pathname } = new URL(request.url ?? '', at.url)
    const strange = odd.get(pathname)
    const route = routes[pathname]
    if (strange === undefined && route === undefined) return false
    void body(request).then((text) => {
      if (strange !== undefined) return strange(response)
      const [status, json] = route?.(new URLSearchParams(text)) ?? [404, {}]
      sendJson(response, status, json)
      wake()
    })
    return true
  })

  /** The request number `count`, once it came. */
  async function request(count = 1): Promise<Asked> {
    for (;;) {
      const found = asked[count - 1]
      if (found !== undefined) return found
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
  }

  /** Approves the requested name and key. @returns the approval, which is issued once */
  async function approve({ deviceCode, form }: Asked, userId = 'ann'): Promise<string> {
    const token = await at.approval(form.get('device_key') ?? '', {
      userId,
      name: form.get('device_name') ?? '',
    })
    answers.set(deviceCode, [200, { access_token: token, token_type: 'Bearer', expires_in: 300 }])
    return token
  }

  /** Performs a request at the device endpoints, and withholds the answer. */
  async function parts(request: IncomingMessage): Promise<void> {
    const init = { method: 'POST', headers: headersOf(request), body: await body(request) }
    await (await fetch(at.url + request.url, init)).text()
  }

  return { ...at, parts, asked, answers, odd, request, approve }
}

export type ApprovingBridge = Awaited<ReturnType<typeof startApprovingBridge>>

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  const { authorization, 'content-type': type = '' } = headers
  return { 'content-type': type, ...(authorization !== undefined && { authorization }) }
}

export function sendJson(response: ServerResponse, status: number, json: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json))
}

async function body(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
