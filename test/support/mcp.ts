import type { TestBridge } from './bridge.ts'

export interface RpcAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: an answer under test has any shape
  readonly json: any
}

export const MCP_HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
} as const

/** Another spelling of the usual content type, which must change nothing. */
export const OTHER_TYPE = { 'content-type': 'application/json; profile=any' } as const

/** Sends an HTTP POST to an MCP path, as bytes in and bytes out. */
export async function post(
  bridge: Pick<TestBridge, 'url'>,
  path: string,
  body: string | Buffer | object,
  headers: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<RpcAnswer> {
  const response = await fetch(bridge.url + path, {
    method: 'POST',
    headers: { ...MCP_HEADERS, ...headers },
    body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
    ...(signal !== undefined && { signal }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: parse(text) }
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` }
}

export function toolCall(name: string, args: object = {}, id: number | string = 1): object {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } }
}

/** The stable code of a refused request or of a failed call. */
// biome-ignore lint/suspicious/noExplicitAny: an answer under test has any shape
export function codeIn(json: any): string | undefined {
  return json?.error?.data?.code ?? json?.result?._meta?.['bridgekeeper/code']
}

function parse(text: string): unknown {
  const data = /^data: ([^\n]*)$/m.exec(text)?.[1]
  try {
    return JSON.parse(data ?? text)
  } catch {
    return undefined
  }
}

export const MODERN = '2026-07-28'

/** A `tools/call` of the 2026 revision, with the headers that mirror it. */
export function modernToolCall(name: string, args: object = {}, meta: object = {}) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
    ...meta,
  }
  return {
    body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args, _meta } },
    headers: { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/call', 'mcp-name': name },
  }
}

/** A `subscriptions/listen` of the 2026 revision, which stays open. */
export function modernSubscription() {
  const { body } = modernToolCall('')
  const { _meta } = body.params
  const method = 'subscriptions/listen'
  return {
    body: { jsonrpc: '2.0', id: 1, method, params: { notifications: { toolsListChanged: true }, _meta } },
    headers: { 'mcp-protocol-version': MODERN, 'mcp-method': method },
  }
}
