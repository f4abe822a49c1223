import { WebSocket } from 'ws'
import { Surfer } from '../../test/support/surfer.ts'
import { type Abuser, rawRequest } from './abuse.ts'
import { catalogFrame, connectAgent, toolsOf } from './agent.ts'

const JSON_TYPE = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }
const LISTING_SOCKETS = 40
const BATCH = JSON.stringify(
  Array.from({ length: 100 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'tools/list', params: {} })),
)
const PASSWORDS_AT_ONCE = 66
const UPLOADS = 64

/** A way to abuse a bridge. It continues until its process ends. */
export type Abuse = (abuser: Abuser) => void | Promise<void>

/** Every kind of abuse by name; twenty abusers in all, some kinds more than once. */
export const ABUSES: Readonly<Record<string, Abuse>> = {
  'unread-lists': unreadLists,
  'idle-sockets': idleSockets,
  'forged-tokens': forgedTokens,
  'planted-cookies': plantedCookies,
  registrations,
  authorizations,
  'device-codes': deviceCodes,
  passwords,
  refreshes,
  'ended-login': endedLogin,
  'stray-frames': strayFrames,
  'socket-calls': socketCalls,
  'slow-uploads': slowUploads,
  pipelines,
  'other-paths': otherPaths,
}

/** How many abusers there are of each kind that has more than one. */
export const MORE: Readonly<Record<string, number>> = {
  'unread-lists': 3,
  'idle-sockets': 2,
  'forged-tokens': 2,
  passwords: 2,
}

/** Batches of lists of a large catalog, whose answers are not read. */
async function unreadLists(abuser: Abuser): Promise<void> {
  const { port, user, from } = abuser
  await connectAgent({ port, user, from, tools: toolsOf(1_000) })
  const headers = [
    `authorization: ${abuser.bearer}`,
    'content-type: application/json',
    'accept: application/json, text/event-stream',
    'mcp-protocol-version: 2025-03-26',
  ]
  const bytes = rawRequest('POST', '/mcp', headers, BATCH)
  abuser.often(LISTING_SOCKETS, () => {
    if (abuser.openSockets >= LISTING_SOCKETS) return
    const socket = abuser.open()
    socket?.pause()
    socket?.write(bytes)
  })
}

/** Connections that are kept after one small request. */
function idleSockets(abuser: Abuser): void {
  const bytes = rawRequest('GET', '/healthz', [])
  abuser.often(200, () => abuser.open()?.resume().write(bytes))
}

function forgedTokens(abuser: Abuser): void {
  const [head, claims] = abuser.user.token.split('.')
  const authorization = `Bearer ${head}.${claims}.${'A'.repeat(43)}`
  abuser.often(50, () => {
    abuser.ask({ method: 'POST', path: '/mcp', headers: { ...JSON_TYPE, authorization }, body: '{}' })
  })
}

function plantedCookies(abuser: Abuser): void {
  abuser.often(50, () => abuser.ask({ path: '/mcp', headers: { cookie: 'accessToken=planted' } }))
}

/** Clients by the thousand, in every spelling of the path. */
function registrations(abuser: Abuser): void {
  const client = { client_name: 'x'.repeat(10_000), redirect_uris: ['https://abuser.example/callback'] }
  const body = JSON.stringify({ ...client, token_endpoint_auth_method: 'none' })
  const paths = ['/oauth/register', '/oauth/register/', '/OAUTH/register', '/oauth/%72egister']
  let turn = 0
  abuser.often(50, () => {
    const path = paths[turn++ % paths.length] ?? ''
    abuser.ask({ method: 'POST', path, headers: JSON_TYPE, body })
  })
}

function authorizations(abuser: Abuser): void {
  const query = new URLSearchParams({
    client_id: 'bridgekeeper-agent',
    response_type: 'code',
    redirect_uri: 'https://abuser.example/callback',
    code_challenge: 'A'.repeat(43),
    code_challenge_method: 'S256',
  })
  abuser.often(50, () => abuser.ask({ path: `/oauth/authorize?${query}` }))
}

function deviceCodes(abuser: Abuser): void {
  const body = new URLSearchParams({ client_id: 'bridgekeeper-agent', scope: 'device:enroll' }).toString()
  abuser.often(50, () => abuser.ask({ method: 'POST', path: '/oauth/device/', headers: FORM_TYPE, body }))
}

/** Wrong passwords, many at once. */
async function passwords(abuser: Abuser): Promise<void> {
  const surfer = surferOf(abuser)
  const page = await surfer.get('/login')
  abuser.often(1 / 5, () => {
    for (let n = 0; n < PASSWORDS_AT_ONCE; n++) {
      const fields = { email: `nobody-${n}@example.com`, password: 'a wrong password' }
      surfer.submit(page, '/login', fields).then(
        ({ status }) => abuser.count(status),
        () => abuser.count('failed'),
      )
    }
  })
}

/** Renewals of one login as fast as they come back. */
async function refreshes(abuser: Abuser): Promise<void> {
  const surfer = surferOf(abuser)
  const { email, password } = abuser.user
  await surfer.submit(await surfer.get('/login'), '/login', { email, password })
  for (;;) {
    const { status } = await surfer.post('/auth/refresh', {})
    abuser.count(status)
    if (status >= 400) await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function surferOf({ port, from }: Abuser): Surfer {
  return new Surfer(`http://127.0.0.1:${port}`, 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', from)
}

/** A client that keeps calling with a token of a login that was ended. */
function endedLogin(abuser: Abuser): void {
  const headers = { ...JSON_TYPE, authorization: abuser.bearer }
  abuser.often(50, () => abuser.ask({ method: 'POST', path: '/mcp', headers, body: '{}' }))
}

/** A verified agent that floods catalogs, results nobody asked for, and malformed frames. */
function strayFrames(abuser: Abuser): void {
  let socket: WebSocket | undefined
  let isConnecting = false
  const { port, user, from } = abuser
  const catalog = catalogFrame(toolsOf(200))
  abuser.often(100, () => {
    if (socket?.readyState === WebSocket.OPEN) {
      socket.send(catalog)
      socket.send('{"type":"tool_result","id":"nobody-asked","success":true}')
      socket.send('{"type":')
      return
    }
    if (isConnecting) return
    isConnecting = true
    connectAgent({ port, user, from, tools: [] })
      .then(
        (opened) => {
          socket = opened
          abuser.count('verified')
        },
        (error: Error) => abuser.count(error.message.slice(0, 40)),
      )
      .finally(() => {
        isConnecting = false
      })
  })
}

/** A verified agent that calls its own tools without end. */
async function socketCalls(abuser: Abuser): Promise<void> {
  const { port, user, from } = abuser
  const socket = await connectAgent({ port, user, from, tools: toolsOf(10) })
  let id = 0
  abuser.often(300, () => {
    const call = {
      type: 'tool_execute',
      id: `call-${id++}`,
      serverName: 'soak',
      toolName: 'tool_1',
      args: {},
    }
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(call))
  })
}

/** Large bodies that arrive a few bytes at a time. */
function slowUploads(abuser: Abuser): void {
  const headers = [
    `authorization: ${abuser.bearer}`,
    'content-type: application/json',
    'content-length: 1000000',
  ]
  const head = rawRequest('POST', '/mcp', headers)
  abuser.often(10, () => {
    if (abuser.openSockets >= UPLOADS) return
    const socket = abuser.open()
    socket?.resume().write(head)
    const timer = setInterval(() => socket?.write(' '.repeat(10_000)), 1_000)
    socket?.on('close', () => clearInterval(timer))
  })
}

/** A thousand requests written at once on one connection, whose answers are not read. */
function pipelines(abuser: Abuser): void {
  const headers = [`authorization: ${abuser.bearer}`, 'content-type: application/json']
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} })
  const bytes = rawRequest('POST', '/mcp', headers, body).repeat(1_000)
  abuser.often(1, () => {
    if (abuser.openSockets >= 8) return
    const socket = abuser.open()
    socket?.pause()
    socket?.write(bytes)
  })
}

function otherPaths(abuser: Abuser): void {
  const paths = ['/healthz', '/readyz', '/nothing', '/.well-known/oauth-protected-resource/mcp', '/login']
  let turn = 0
  abuser.often(200, () => abuser.ask({ path: paths[turn++ % paths.length] ?? '' }))
}
