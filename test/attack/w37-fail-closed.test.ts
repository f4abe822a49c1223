import type { SecurityEvent, SecurityLog } from '@bridgekeeper/bridge'
import { expect, test, vi } from 'vitest'
import { agentWith, answerNext } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { bearer, OTHER_TYPE, post, toolCall } from '../support/mcp.ts'
import { dial, refusedUpgrade } from '../support/peer.ts'

/** A log whose disk the test controls. */
class HeldLog implements SecurityLog {
  readonly events: SecurityEvent[] = []
  writable = true
  #held = false
  #waiting: (() => void)[] = []

  logSecurityEvent(event: SecurityEvent): void {
    this.events.push(event)
  }

  afterWritten(run: () => void): void {
    if (this.#held) this.#waiting.push(run)
    else run()
  }

  hold(): void {
    this.#held = true
  }

  release(): void {
    this.#held = false
    for (const run of this.#waiting.splice(0)) run()
  }
}

async function setUp() {
  const securityLog = new HeldLog()
  const at = await startBridge({ securityLog })
  const agent = await agentWith(at, 'ann', 's', 't')
  const { accessToken } = await at.token('ann')
  const call = (headers = {}) => post(at, '/mcp/s', toolCall('t'), { ...bearer(accessToken), ...headers })
  return { securityLog, at, agent, call }
}

test('[LOG.15] W37: refuses calls from every side while the log cannot be written, and routes none to the agent', async () => {
  const { securityLog, at, agent, call } = await setUp()
  securityLog.writable = false
  for (const headers of [{}, OTHER_TYPE]) {
    const refused = await call(headers)
    expect(refused.status).toBe(503)
    expect(refused.json).toMatchObject({ id: 1, error: { data: { code: 'log_unavailable' } } })
  }
  await expect(at.bridge.callTool('user_ann', 's', 't')).rejects.toMatchObject({ code: 'log_unavailable' })
  agent.send({ type: 'tool_execute', id: 'own', serverName: 's', toolName: 't', args: {} })
  expect(await agent.next('tool_result')).toMatchObject({
    id: 'own',
    success: false,
    code: 'log_unavailable',
  })
  expect(agent.waiting.map(({ type }) => type)).not.toContain('tool_execute')
  securityLog.writable = true
  const taken = call()
  await answerNext(agent, { content: [] })
  expect((await taken).status).toBe(200)
})

test('[LOG.16] W37: sends a result only after it is logged', async () => {
  const { securityLog, agent, call } = await setUp()
  securityLog.hold()
  let answered = false
  const answer = call().then((it) => {
    answered = true
    return it
  })
  await answerNext(agent, { content: [] })
  await vi.waitFor(() =>
    expect(securityLog.events.map(({ event }) => event)).toContain('ws_tool_execution_result'),
  )
  // The agent's next message is handled, so the bridge would have answered by now.
  agent.send({ type: 'ping' })
  await agent.next('pong')
  expect(answered).toBe(false)
  securityLog.release()
  expect((await answer).status).toBe(200)
})

test('[LOG.16] W37: sends refusals at both doors only after they are logged', async () => {
  const { securityLog, at, agent } = await setUp()
  securityLog.hold()
  let refused = 0
  const caller = post(at, '/mcp', toolCall('t'), bearer('forged')).then(({ status }) => {
    refused++
    return status
  })
  const knocking = refusedUpgrade(dial(at, { token: 'forged', v2: true })).then(({ status }) => {
    refused++
    return status
  })
  await vi.waitFor(() => {
    const events = securityLog.events.map(({ event }) => event)
    expect(events).toEqual(expect.arrayContaining(['mcp_authentication_failed', 'ws_authentication_failed']))
  })
  agent.send({ type: 'ping' })
  await agent.next('pong')
  expect(refused).toBe(0)
  securityLog.release()
  expect(await Promise.all([caller, knocking])).toEqual([401, 401])
})
