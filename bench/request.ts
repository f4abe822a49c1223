import { nameOf } from './payload.ts'
import type { Row } from './rows.ts'

/** Address and token of calls. */
export interface Address {
  readonly port: number
  /** Missing for the relay, which accepts everyone. */
  readonly token: string | undefined
}

/** All ids have as many digits, so that all requests have one length. */
export const FIRST_ID = 1_000_000
const VERSION = '2025-11-25'
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: 'bench', version: '1' } },
}

/** Begins an MCP session. @returns its id */
export async function beginSession(address: Address): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${address.port}/mcp/bench`, {
    method: 'POST',
    headers: headersOf(address, undefined),
    body: JSON.stringify(INITIALIZE),
  })
  const text = await response.text()
  const session = response.headers.get('mcp-session-id')
  if (session === null) throw new Error(`no session began: ${response.status} ${text.slice(0, 500)}`)
  return session
}

/** A request of the row over HTTP/1.1, with `FIRST_ID`. */
export function requestBytes(address: Address, row: Row, session: string | undefined): Buffer {
  const body = JSON.stringify({ jsonrpc: '2.0', ...methodOf(row), id: FIRST_ID })
  const headers = { host: `127.0.0.1:${address.port}`, ...headersOf(address, session) }
  const lines = Object.entries({ ...headers, 'content-length': body.length })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.from(`POST /mcp/bench HTTP/1.1\r\n${head}\r\n${body}`)
}

/** Headers of every request. */
export function headersOf({ token }: Address, session: string | undefined): Readonly<Record<string, string>> {
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': VERSION,
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(session !== undefined && { 'mcp-session-id': session }),
  }
}

function methodOf({ kind, resultBytes }: Row): object {
  const params = { name: nameOf(resultBytes), arguments: { path: 'notes/today.md', limit: 20 } }
  switch (kind) {
    case 'call':
      return { method: 'tools/call', params }
    case 'prompt':
      return { method: 'prompts/get', params: { ...params, arguments: { path: 'notes/today.md' } } }
    case 'progress':
      return { method: 'tools/call', params: { ...params, _meta: { progressToken: 'progress' } } }
  }
}
