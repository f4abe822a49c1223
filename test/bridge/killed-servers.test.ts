import { beforeEach, expect, test, vi } from 'vitest'
import { bearer, codeIn, modernSubscription } from '../support/mcp.ts'
import { kill } from '../support/processes.ts'
import { SessionClient } from '../support/session-client.ts'
import { ALL, gate, startTalking, type Talking } from '../support/talking.ts'

const NOT_FOUND = { code: -32_602, message: 'Task not found' }

let talking: Talking
beforeEach(async () => {
  talking = await startTalking()
})

/** Kills the process of the server that has read this. */
async function killReader(...texts: readonly string[]): Promise<void> {
  kill(await talking.record.pidOf(...texts))
}

/** The session continues, with another process. */
async function continues(client: SessionClient): Promise<void> {
  await vi.waitFor(
    async () => {
      const { result } = await client.call('talk', { mark: 'again' })
      expect(result?.content[0].text).toMatch(/^again /)
    },
    { interval: 100 },
  )
}

test.each([
  ['the first process', {}, 1],
  // More often than there are processes that can be leased.
  ['a leased process', ALL, 5],
])(
  '[EXCH.27] ends the call of a session when %s is killed, and the session continues',
  async (_, traits, times) => {
    const client = await talking.client(undefined, traits)
    for (let mark = 0; mark < times; mark++) {
      const { path: until } = gate()
      const called = client.call('talk', { mark, until })
      await killReader(until)
      expect(codeIn(await called)).toBe('server_exited')
      await continues(client)
    }
  },
)

test('[INST.14] the calls of other clients continue when a leased process is killed', async () => {
  const [client, other] = [await talking.client(), await talking.client()]
  const [never, until] = [gate(), gate()]
  const called = client.call('talk', { mark: 'mine', until: never.path })
  const others = other.call('talk', { mark: 'other', until: until.path })
  await talking.record.has(until.path)
  await killReader(never.path)
  expect(codeIn(await called)).toBe('server_exited')
  until.open()
  expect((await others).result.content[0].text).toMatch(/^other /)
})

test('[EXCH.31] ends what waits for a task when its process is killed, and forgets the task', async () => {
  const client = await talking.client()
  const begun = await client.request('tools/call', { name: 'begin', arguments: {}, task: {} })
  const { taskId } = begun.result.task
  expect((await client.request('tasks/get', { taskId })).result.status).toBe('working')
  const { path: until } = gate()
  const waiting = client.request('tasks/result', { taskId, until })
  await killReader(until)
  expect(codeIn(await waiting)).toBe('server_exited')
  expect((await client.request('tasks/get', { taskId })).error).toMatchObject(NOT_FOUND)
  await continues(client)
})

test('[ASK.4] withdraws a question when the process that asked is killed', async () => {
  const client = await talking.client()
  const called = client.call('ask', { mark: 'killed' })
  const ask = await client.next(({ method }) => method === 'elicitation/create')
  await killReader('"killed"')
  expect(codeIn(await called)).toBe('server_exited')
  await client.listen()
  const withdrawn = await client.next(({ method }) => method === 'notifications/cancelled')
  expect(withdrawn.params.requestId).toBe(ask.id)
  expect((await client.answer(ask.id, { action: 'accept', content: {} })).status).toBe(202)

  const again = client.call('ask', { mark: 'again' })
  const next = await client.next(({ method, id }) => method === 'elicitation/create' && id !== ask.id)
  await client.answer(next.id, { action: 'accept', content: { answer: 'yes' } })
  expect((await again).result.content[0].text).toContain('"answer":"yes"')
})

/** Listens as a client of the 2026 era. */
async function listen(path: string): Promise<SessionClient> {
  const { at } = talking
  const auth = bearer((await at.token('ann', 3_600_000)).accessToken)
  const client = new SessionClient(at.url + path, auth)
  const { body, headers } = modernSubscription()
  void client.post(body, headers)
  expect(await client.next(() => true)).toMatchObject({ method: 'notifications/subscriptions/acknowledged' })
  return client
}

test('[EXCH.27] ends a subscription of the 2026 era when its process is killed, and the client listens again', async () => {
  const client = await listen('/mcp/talkative')
  await killReader('"initialize"')
  expect(codeIn(await client.next(({ id }) => id !== undefined))).toBe('server_exited')
  await vi.waitFor(() => listen('/mcp/talkative'), { interval: 100 })
})

test('[AGG.11] a subscription at /mcp continues when a server is killed, and says that lists changed', async () => {
  const client = await listen('/mcp')
  await killReader('"initialize"')
  await client.next(({ method }) => method === 'notifications/tools/list_changed')
})
