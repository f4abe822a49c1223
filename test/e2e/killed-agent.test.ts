import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { connect } from '../support/agent-program.ts'
import { login, mainProcess, serve } from '../support/installation.ts'
import { bearer, modernToolCall } from '../support/mcp.ts'
import { kill } from '../support/processes.ts'
import { scratch } from '../support/scratch.ts'
import { SessionClient } from '../support/session-client.ts'
import { ALL, gate, PATH, ServerRecord } from '../support/talking.ts'

const CAPABILITIES = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } } }

test('[STREAM.11] [ERA.9] a stream outlasts an agent that is killed; its call, task and question end with an error', async () => {
  const data = join(scratch(), 'data')
  const bridge = await serve({ data })
  const { accessToken: token } = await login(data, 'ann@example.com')
  const record = new ServerRecord()
  const servers = { talkative: record.entry }
  const agent = await connect(bridge, { token, servers })
  const auth = bearer((await login(data, 'ann@example.com')).accessToken)
  const client = await SessionClient.begin(bridge.url + PATH, auth, ALL)
  expect((await client.listen()).status).toBe(200)
  const begun = await client.request('tools/call', { name: 'begin', arguments: {}, task: {} })
  const { taskId } = begun.result.task
  const { path: until } = gate()
  const running = client.post(client.rpc('tools/call', { name: 'talk', arguments: { mark: 'one', until } }))
  await client.next(({ method }) => method === 'notifications/x/told')
  const eventId = client.eventIds.at(-1) ?? ''
  // A client of the 2026 era is asked.
  const modern = new SessionClient(bridge.url + PATH, auth)
  const { body, headers } = modernToolCall('ask', { mark: 'm' }, CAPABILITIES)
  const { requestState, inputRequests } = (await modern.post(body, headers)).json.result
  const inputResponses = { [Object.keys(inputRequests)[0] ?? '']: { action: 'accept', content: {} } }

  kill(mainProcess(agent.program))
  await running
  await connect(bridge, { token, servers })
  const resumed = await client.listen({ 'last-event-id': eventId })
  expect(await resumed.ended).toContain('"bridgekeeper/code":"outcome_unknown"')
  const task = await client.request('tasks/get', { taskId })
  expect(task.error).toMatchObject({ code: -32_602, message: 'Task not found' })
  const params = { ...body.params, requestState, inputResponses }
  const answered = await modern.post({ ...body, params }, headers)
  // [ERA.9] The key of its state is gone with the agent.
  expect(answered.json.error).toMatchObject({ code: -32_602, message: expect.stringContaining('restarted') })

  // The stream by GET is still open.
  await client.call('change', { uri: 'x://any' })
  await vi.waitFor(() =>
    expect(client.messages.map(({ method }) => method)).toContain('notifications/tools/list_changed'),
  )
  // Nothing ran twice.
  expect(record.lines.filter((line) => line.includes(until))).toHaveLength(1)
  expect(record.lines.filter((line) => line.includes('"mark":"m"'))).toHaveLength(1)
}, 120_000)
