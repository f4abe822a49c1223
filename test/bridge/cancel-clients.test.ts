import { expect, test } from 'vitest'
import { type AnyClient, clientKinds } from '../e2e/clients.ts'
import { agentWith } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'

/** The first SDK takes its options behind the schema of the result. */
type CallTool = (...given: unknown[]) => ReturnType<AnyClient['callTool']>

test.each(clientKinds)(
  '[CALL.11] cancels the call at the agent when the official $name aborts it',
  async ({ name, overHttp }) => {
    const at = await startBridge()
    const agent = await agentWith(at, 'ann', 's', 't')
    const client = await overHttp(`${at.url}/mcp/s`, (await at.token('ann')).accessToken)
    const abort = new AbortController()
    const options = { signal: abort.signal }
    const callTool = client.callTool.bind(client) as CallTool
    const given = name.startsWith('client 1.') ? [undefined, options] : [options]
    const call = callTool({ name: 't', arguments: {} }, ...given)
    const { id } = await agent.next('tool_execute')
    abort.abort('enough')
    await expect(call).rejects.toThrow()
    expect((await agent.next('tool_cancel')).id).toBe(id)
  },
)
