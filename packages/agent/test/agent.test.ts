import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { type AgentEvent, createAgent, type ServerEntry } from '../src/index.ts'
import { FakeBridge } from './support/bridge.ts'
import { tokenOf } from './support/linked.ts'
import { fixture } from './support/local.ts'
import { isAlive, until } from './support/until.ts'

function runAgent(url: string, servers: readonly ServerEntry[]) {
  const events: AgentEvent[] = []
  const stop = new AbortController()
  const agent = createAgent({ url, token: () => tokenOf(), servers, onEvent: (event) => events.push(event) })
  const ended = agent.run(stop.signal).then(
    () => 'resolved',
    (error: unknown) => error,
  )
  onTestFinished(async () => {
    stop.abort()
    await ended
  })
  return { events, ended, stop: () => stop.abort() }
}

const server: ServerEntry = { ...fixture('server'), name: 'server' }

async function callPid(bridge: FakeBridge): Promise<number> {
  const peer = await bridge.peer()
  await until(() => peer.all('catalog').some((frame) => JSON.stringify(frame).includes('"ready"')))
  peer.execute('pid', 'pid')
  const { result } = await peer.result('pid')
  return Number((result as { content: [{ text: string }] }).content[0].text)
}

test('[AGENT.1] runs the servers, reports them, and answers calls of the bridge', async () => {
  const bridge = await FakeBridge.start()
  const { events } = runAgent(bridge.url, [server, { kind: 'http', name: 'remote' }])
  expect(await callPid(bridge)).toBeGreaterThan(1)
  const peer = await bridge.peer()
  const reported = peer.all('catalog').flatMap(({ servers }) => servers as readonly { name: string }[])
  expect(reported.findLast(({ name }) => name === 'server')).toMatchObject({ state: 'ready' })
  expect(reported.findLast(({ name }) => name === 'remote')).toMatchObject({
    state: 'failed',
    reason: expect.stringContaining('HTTP'),
  })
  expect(events.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['verified', 'server-ready', 'server-failed', 'call-finished']),
  )
})

test('[AGENT.2] resolves when stopped, after every server ended', async () => {
  const bridge = await FakeBridge.start()
  const { ended, stop } = runAgent(bridge.url, [server])
  const pid = await callPid(bridge)
  stop()
  expect(await ended).toBe('resolved')
  expect(isAlive(pid)).toBe(false)
})

test('[AGENT.3] rejects when the bridge refuses it permanently, after every server ended', async () => {
  const bridge = await FakeBridge.start()
  const { ended } = runAgent(bridge.url, [server])
  const pid = await callPid(bridge)
  bridge.peers[0]?.socket.close(4509, 'connection_replaced')
  expect(await ended).toMatchObject({ name: 'AgentError', code: 'connection_replaced' })
  expect(isAlive(pid)).toBe(false)
})

test('[AGENT.4] fails the call of a server that ends, reports it, and restarts the server', async () => {
  const bridge = await FakeBridge.start()
  runAgent(bridge.url, [server])
  await callPid(bridge)
  const peer = await bridge.peer()
  const before = peer.all('catalog').length
  peer.execute('1', 'exit')
  expect(await peer.result('1')).toMatchObject({ success: false, code: 'server_exited' })
  await until(
    () =>
      peer.all('catalog').length > before && JSON.stringify(peer.all('catalog').at(-1)).includes('"ready"'),
  )
})

test('[AGENT.5] puts no token, argument, result or environment value into an event', async () => {
  const bridge = await FakeBridge.start()
  const { events } = runAgent(bridge.url, [
    { ...server, env: { API_KEY: 'canary-env' }, secrets: ['canary-env'] } as ServerEntry,
  ])
  await callPid(bridge)
  const peer = await bridge.peer()
  peer.execute('1', 'length', { a: 'canary-argument' })
  await peer.result('1')
  peer.execute('2', 'whisper')
  await peer.result('2')
  await until(() => events.some((event) => event.type === 'server-stderr'))
  const told = JSON.stringify(events)
  expect(told).not.toContain('canary')
  expect(told).not.toContain(tokenOf())
})

test('[AGENT.6] tells local servers its own version', async () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const bridge = await FakeBridge.start()
  runAgent(bridge.url, [server])
  await callPid(bridge)
  const peer = await bridge.peer()
  peer.execute('1', 'lines')
  const { result } = await peer.result('1')
  const [initialize] = JSON.parse((result as { content: [{ text: string }] }).content[0].text)
  expect(JSON.parse(initialize).params.clientInfo).toEqual({
    name: 'bridgekeeper',
    version: manifest.version,
  })
})

test('[AGENT.7] keeps servers running while the bridge is away', async () => {
  const bridge = await FakeBridge.start()
  runAgent(bridge.url, [server])
  const pid = await callPid(bridge)
  bridge.peers[0]?.socket.terminate()
  const peer = await bridge.peer(2)
  await peer.frame('catalog')
  peer.execute('1', 'pid')
  expect(JSON.stringify(await peer.result('1'))).toContain(`"${pid}"`)
})
