import { expect, test } from 'vitest'
import { gate, startTalking } from '../support/talking.ts'

const ASKABLE = { elicitation: {}, sampling: {} }
/** Leases without a question, after which clients share a process (INST.11). */
const QUIET_LEASES = 32

test.each([
  ['clients that cannot be asked', {}, -32_601],
  ['clients that can be asked', ASKABLE, -32_603],
])('[ASK.2] refuses what a server asks outside of any exchange: %s', async (_, capabilities, code) => {
  const { client, record } = await startTalking()
  const clients = [await client(undefined, capabilities), await client(undefined, capabilities)]
  await Promise.all(clients.map((each) => each.listen()))
  const until = gate()
  await clients[0]?.call('late', { mark: 'after-the-end', until: until.path })
  until.open()
  expect(await record.has('refused after-the-end')).toContain(`"code":${code}`)
  for (const each of clients) {
    // Messages that were sent before this answer would have arrived.
    await each.request('ping')
    expect(each.heard).not.toContain('elicitation/create')
    expect(each.heard.split('after-the-end').length).toBeLessThanOrEqual(2)
  }
  expect(clients[1]?.heard).not.toContain('after-the-end')
})

test('[ASK.2] asks nobody if two clients are busy at one process', async () => {
  const { client, record } = await startTalking()
  const clients = [await client(undefined, ASKABLE), await client(undefined, ASKABLE)]
  for (let call = 0; call < QUIET_LEASES; call++) await clients[0]?.call('talk', { mark: `quiet-${call}` })
  const until = gate()
  const calls = clients.map((each, at) => each.call('talk', { mark: `busy-${at}`, until: until.path }))
  for (const at of clients.keys()) await record.has(`"busy-${at}"`)
  const asking = clients[0]?.call('sample', { mark: 'question' })
  await record.has('"error"', 'does not belong to exactly one open request')
  until.open()
  await Promise.all([...calls, asking])
  expect(clients.map(({ heard }) => heard).join()).not.toContain('createMessage')
})

test('[ASK.4] refuses the ask when its client leaves for good', async () => {
  const { client, record } = await startTalking()
  const asked = await client(undefined, ASKABLE)
  const call = asked.rpc('tools/call', { name: 'ask', arguments: { mark: 'one' } })
  const answered = asked.post(call)
  await asked.next(({ method }) => method === 'elicitation/create')
  await asked.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: call.id } })
  await record.has('"ask-1"', '"error"')
  await record.has('notifications/cancelled')
  await answered
})

test('[ASK.4] refuses the asks of a session that ends', async () => {
  const { client, record } = await startTalking()
  const asked = await client(undefined, ASKABLE)
  const answered = asked.call('ask', { mark: 'one' }).catch(() => {})
  await asked.next(({ method }) => method === 'elicitation/create')
  expect((await fetch(asked.url, { method: 'DELETE', headers: asked.headers })).status).toBe(204)
  await record.has('"ask-1"', '"error"')
  expect((await asked.post(asked.rpc('ping'))).status).toBe(404)
  await Promise.race([answered, record.has('notifications/cancelled')])
})

test('[INST.4] answers pings of the server, which no client sees', async () => {
  const { client } = await startTalking()
  const pinged = await client(undefined, ASKABLE)
  expect((await pinged.call('ping')).result.content[0].text).toBe('{}')
  expect(pinged.messages.map(({ method }) => method)).not.toContain('ping')
})
