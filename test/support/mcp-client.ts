import type { BridgeOptions } from '@bridgekeeper/bridge'
import { startBridge } from './bridge.ts'
import { answerOpen, DAY_MS, exchangeAgent, nextOpen } from './exchange-agent.ts'
import { FakeSystem } from './fake-system.ts'
import { bearer, post } from './mcp.ts'
import { Recorded } from './recorded.ts'
import { openEvents } from './sse.ts'

export const PATH = '/mcp/s'
export const OLDER = '2025-06-18'
export const NEWER = '2025-11-25'

export const rpc = (method: string, params: object = {}, id: unknown = 1) => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
})

export const initialize = (capabilities: unknown = {}) =>
  rpc('initialize', { protocolVersion: NEWER, capabilities, clientInfo: { name: 'c', version: '1' } }, 'i')

/** A bridge with a clock of the test, an agent whose server takes exchanges, and a caller of the same user. */
export async function mcpCaller(options: Partial<BridgeOptions> = {}) {
  const system = new FakeSystem()
  const log = new Recorded()
  const at = await startBridge({ system, securityLog: log.securityLog, ...options })
  const agent = await exchangeAgent(at, 'ann', 's', 't')
  const login = async (name = 'ann') => bearer((await at.token(name, 90 * DAY_MS)).accessToken)
  const auth = await login()
  const begin = async (capabilities?: unknown, headers = auth) => {
    const posted = post(at, PATH, initialize(capabilities), headers)
    const open = await nextOpen(agent)
    agent.send({ type: 'accepted', id: open.id })
    answerOpen(agent, open, { serverInfo: { name: 's', version: '1' } })
    const answer = await posted
    await agent.next('done')
    return { open, answer, session: { 'mcp-session-id': answer.headers.get('mcp-session-id') ?? '' } }
  }
  /** Posts a request, and reads its answer as events. */
  const stream = (body: object, headers: Record<string, string> = {}) =>
    openEvents(at, PATH, { ...auth, ...headers }, body)
  /** Opens a stream by GET. */
  const listen = (headers: Record<string, string> = {}) => openEvents(at, PATH, { ...auth, ...headers })
  const ask = (body: object | string, headers: Record<string, string> = {}) =>
    post(at, PATH, body, { ...auth, ...headers })
  return { system, log, at, agent, auth, login, begin, stream, listen, ask }
}

export const version = (value: string) => ({ 'mcp-protocol-version': value })

export const progress = {
  jsonrpc: '2.0',
  method: 'notifications/progress',
  params: { progressToken: 1, progress: 1 },
}
