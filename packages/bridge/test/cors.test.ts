import { type IncomingHttpHeaders, type IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { letPagesRead } from '../src/cors.ts'

const ORIGIN = 'https://app.example'

function ask(method: string, headers: IncomingHttpHeaders, origins: ReadonlySet<string> | '*') {
  const response = new ServerResponse({ method } as IncomingMessage)
  const isAnswered = letPagesRead({ method, headers }, response, origins)
  return { isAnswered, status: response.statusCode, head: response.getHeaders() }
}

const preflight = (more: IncomingHttpHeaders = {}): IncomingHttpHeaders => ({
  origin: ORIGIN,
  'access-control-request-method': 'POST',
  ...more,
})

test('[ORIGIN.6] lets a page of a listed origin read every answer and the headers it needs', () => {
  for (const method of ['GET', 'POST', 'OPTIONS']) {
    const { isAnswered, head } = ask(method, { origin: ORIGIN }, new Set([ORIGIN]))
    expect(isAnswered).toBe(false)
    expect(head).toEqual({
      'access-control-allow-origin': ORIGIN,
      'access-control-expose-headers': 'WWW-Authenticate, Mcp-Session-Id, Mcp-Protocol-Version, Retry-After',
      vary: 'Origin',
    })
  }
})

test('[ORIGIN.6] answers a preflight of a listed origin at once, with MCP’s headers and no others', () => {
  const asked = {
    'access-control-request-headers': 'Authorization, MCP-Param-Region,x-secret,cookie, mcp-a b',
  }
  const { isAnswered, status, head } = ask('OPTIONS', preflight(asked), new Set([ORIGIN]))
  expect(isAnswered).toBe(true)
  expect(status).toBe(204)
  const allowed = String(head['access-control-allow-headers']).split(', ')
  expect(allowed).toEqual(
    expect.arrayContaining(['authorization', 'content-type', 'mcp-name', 'mcp-param-region']),
  )
  for (const name of ['x-secret', 'cookie', 'mcp-a b']) expect(allowed).not.toContain(name)
  expect(head).not.toHaveProperty('access-control-allow-credentials')
  expect(ask('OPTIONS', preflight(), new Set([ORIGIN])).head['access-control-allow-headers']).toContain(
    'dpop',
  )
})

test('[ORIGIN.6] lets pages send the headers that tracing libraries add', () => {
  const asked = { 'access-control-request-headers': 'traceparent,tracestate,baggage' }
  const { head } = ask('OPTIONS', preflight(asked), new Set([ORIGIN]))
  const allowed = String(head['access-control-allow-headers']).split(', ')
  expect(allowed).toEqual(expect.arrayContaining(['traceparent', 'tracestate', 'baggage']))
})

test('[ORIGIN.6] opens public paths to pages of every origin', () => {
  expect(ask('GET', { origin: 'null' }, '*').head['access-control-allow-origin']).toBe('*')
  expect(ask('OPTIONS', preflight(), '*').isAnswered).toBe(true)
})

test.each([
  [{}],
  [{ origin: 'https://evil.example' }],
  [{ origin: 'null' }],
  [{ origin: `${ORIGIN}, ${ORIGIN}` }],
  [{ origin: ORIGIN.toUpperCase() }],
])('[ORIGIN.6] %j may not read answers, and gets no answer to its preflight', (headers) => {
  const { isAnswered, head } = ask(
    'OPTIONS',
    { ...preflight(), origin: undefined, ...headers },
    new Set([ORIGIN]),
  )
  expect(isAnswered).toBe(false)
  expect(head).toEqual({})
})
