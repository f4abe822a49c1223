import { expect, test } from 'vitest'
import { SessionClient } from '../support/session-client.ts'
import { gate, PATH, startTalking } from '../support/talking.ts'

const VERSION_2026 = '2026-07-28'
const envelope = {
  'io.modelcontextprotocol/protocolVersion': VERSION_2026,
  'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** Two logins of ann, each with a session at one process. */
async function two(capabilities: object = {}) {
  const talking = await startTalking()
  const [ann, eve] = [
    await talking.client(undefined, capabilities),
    await talking.client(undefined, capabilities),
  ]
  return { ...talking, ann, eve }
}

test('[EXCH.28] equal ids and tokens of two clients at one process do not mix', async () => {
  const { ann, eve, record } = await two()
  const until = gate()
  const calls = [ann, eve].map((each, n) =>
    each.call('talk', { mark: `m${n};`, until: until.path }, { progressToken: 'same' }),
  )
  for (const n of [0, 1]) await record.has(`"m${n};"`)
  until.open()
  const answers = await Promise.all(calls)
  for (const [n, each] of [ann, eve].entries()) {
    expect(answers[n].result.content[0].text).toContain(`m${n};`)
    expect(each.heard.match(/m\d;/g)?.filter((mark) => mark !== `m${n};`)).toEqual([])
    expect(each.heard).toContain('"progressToken":"same"')
  }
  expect(record.pids.size).toBe(1)
})

test('[EXCH.28] no client cancels the call of another, whatever id it names', async () => {
  const { ann, eve, record, at } = await two()
  const until = gate()
  const call = ann.rpc('tools/call', { name: 'talk', arguments: { mark: 'own', until: until.path } })
  const answered = ann.post(call)
  const line = await record.has('"own"')
  const upstream = JSON.parse(line).id as number
  for (const requestId of [call.id, String(call.id), upstream, String(upstream), call.id + 0.0])
    for (const each of [
      eve,
      new SessionClient(at.url + PATH, { authorization: eve.headers.authorization ?? '' }),
    ])
      await each.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } })
  await eve.request('ping')
  until.open()
  await answered
  expect(ann.heard).toContain('own ')
  expect(record.lines.join()).not.toContain('notifications/cancelled')
})

test('[CALL.11] a program without a session cancels no call in a session of the same login', async () => {
  const { ann, at, record } = await two()
  const until = gate()
  const call = ann.rpc('tools/call', { name: 'talk', arguments: { mark: 'mine;', until: until.path } })
  const answered = ann.post(call)
  await record.has('"mine;"')
  const { authorization = '' } = ann.headers
  const other = new SessionClient(at.url + PATH, { authorization })
  await other.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: call.id } })
  await other.post(other.rpc('ping'))
  until.open()
  await answered
  expect(ann.heard).toContain('mine; ')
  expect(record.lines.join()).not.toContain('notifications/cancelled')
})

test('[SESS.2] event ids of a session open nothing in another', async () => {
  const { ann, eve, record, client } = await two()
  const until = gate()
  const call = ann.call('talk', { mark: 'mine;', until: until.path })
  await ann.next(({ method }) => method === 'notifications/x/told')
  const same = await client({ authorization: ann.headers.authorization ?? '' }, {})
  for (const id of ann.eventIds)
    for (const each of [eve, same]) {
      const { ended } = await each.listen({ 'last-event-id': id })
      // To this session, it is a stream that was lost.
      expect(await ended).toContain('outcome_unknown')
    }
  until.open()
  await call
  for (const each of [eve, same]) expect(each.heard).not.toContain('mine;')
  expect(record.lines.join()).not.toContain('notifications/cancelled')
})

test('[SESS.24] a change of a resource reaches only its subscriber, whatever others unsubscribe', async () => {
  const { ann, eve, record } = await two()
  await Promise.all([ann.listen(), eve.listen()])
  await ann.request('resources/subscribe', { uri: 'x://ann' })
  await eve.request('resources/subscribe', { uri: 'x://eve' })
  await eve.request('resources/unsubscribe', { uri: 'x://ann' })
  await eve.post(
    '{"jsonrpc":"2.0","id":77,"method":"resources/unsubscribe","params":{"uri":"x://eve","uri":"x://ann"}}',
  )
  await eve.post(
    '{"jsonrpc":"2.0","id":78,"method":"logging/setLevel","params":{"level":"info","level":"emergency"}}',
  )
  await eve.call('change', { uri: 'x://ann' })
  await ann.next(({ method }) => method === 'notifications/resources/updated')
  await eve.next(({ method }) => method === 'notifications/tools/list_changed')
  expect(eve.heard).not.toContain('resources/updated')
  expect(record.lines.join('\n')).not.toMatch(/unsubscribe|setLevel/)
})

test('[ERA.6] two clients of the 2026 era hear only what each listens for', async () => {
  const { at, login, record } = await startTalking()
  const clients = await Promise.all(
    ['ann', 'eve'].map(async (name) => {
      const auth = await login()
      const client = new SessionClient(at.url + PATH, { ...auth, 'mcp-protocol-version': VERSION_2026 })
      const notifications = { resourceSubscriptions: [`x://${name}`], toolsListChanged: name === 'ann' }
      const message = {
        ...client.rpc('subscriptions/listen', { notifications, _meta: envelope }),
        id: 'same',
      }
      void client.post(message, { 'mcp-method': 'subscriptions/listen' })
      await client.next(({ method }) => method === 'notifications/subscriptions/acknowledged')
      return client
    }),
  )
  const [ann, eve] = clients as [SessionClient, SessionClient]
  for (const uri of ['x://ann', 'x://eve']) {
    const params = { name: 'change', arguments: { uri }, _meta: envelope }
    await eve.post(eve.rpc('tools/call', params), { 'mcp-method': 'tools/call', 'mcp-name': 'change' })
  }
  await ann.next(({ method }) => method === 'notifications/tools/list_changed')
  await eve.next(({ method }) => method === 'notifications/resources/updated')
  expect(ann.heard).not.toContain('x://eve')
  expect(eve.heard).not.toMatch(/x:\/\/ann"[^}]*"io\.model|list_changed/)
  expect(record.lines.filter((line) => line.includes('resources/subscribe'))).toHaveLength(2)
})
