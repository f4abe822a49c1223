import { limits } from '@bridgekeeper/protocol'
import { beforeEach, expect, test } from 'vitest'
import { reported } from '../../../../test/support/catalog.ts'
import { entry, FakeChild, runFakes, START_MS, settled, TOOL, type World } from '../support/fake-child.ts'

const world: World = { children: [], happened: [], next: [], spawned: [] }

beforeEach(() => {
  world.children.length = 0
  world.happened.length = 0
  world.spawned.length = 0
  world.next = []
})

async function ready(entries = [entry()]) {
  const run = runFakes(world, entries)
  await settled()
  return run
}

test('[TOOLS.1] reports a ready server’s own info, and passes calls to it', async () => {
  const { servers, named, call } = await ready()
  expect(named('server-ready')).toEqual([{ type: 'server-ready', name: 's', tools: 1, skippedTools: 0 }])
  expect(reported(servers.catalog())).toMatchObject([
    {
      state: 'ready',
      name: 's',
      serverInfo: { name: 'fake', version: '1' },
      instructions: 'Be kind.',
      tools: [{ definition: TOOL }],
    },
  ])
  const called = call()
  const [child] = world.children
  const [request] = child?.requests('tools/call') ?? []
  expect(request?.params).toEqual({ name: 'echo', arguments: { x: 1 } })
  child?.answer(request?.id, { content: [] })
  expect(await called).toEqual({ ok: true, result: Buffer.from('{"content":[]}') })
})

test('[PROC.2] [PROC.9] starts a program by its own name and arguments, without a shell, in its own group', async () => {
  const platform = process.platform !== 'win32'
  await ready([
    entry({ command: 'run;me', args: ['$(x)'], env: { A: '1' }, cwd: '/there' }),
    entry({ name: 'other' }),
  ])
  const mark = { BRIDGEKEEPER_SERVER: expect.any(String) }
  const options = { shell: false, detached: platform, windowsHide: true, windowsVerbatimArguments: false }
  expect(world.spawned).toEqual([
    ['run;me', ['$(x)'], { ...options, cwd: '/there', env: { A: '1', ...mark } }],
    ['fake', [], { ...options, cwd: undefined, env: mark }],
  ])
})

test('[PROC.4] fails the server of a program that spawn refuses, with the reason', async () => {
  world.next = [
    () => {
      throw Object.assign(new Error('no'), { code: 'E2BIG' })
    },
    () => {
      throw new Error('no')
    },
  ]
  const { named, system } = await ready()
  expect(named('server-failed')).toMatchObject([
    { reason: 'The program "fake" could not be started (E2BIG).' },
  ])
  await system.advance(500)
  await settled()
  expect(named('server-failed')[1]).toMatchObject({
    reason: 'The program "fake" could not be started (unknown).',
  })
})

test('[RUN.5] [RUN.6] [RUN.7] reports by its code how a call ended at the server', async () => {
  const { call } = await ready()
  const [child] = world.children
  const lastId = () => child?.requests('tools/call').at(-1)?.id
  const failing = call()
  child?.write(`{"id":"${lastId()}","error":{"code":-1,"message":"no\\u0007"}}`)
  expect(await failing).toMatchObject({
    ok: false,
    code: 'tool_failed',
    error: 'no ',
    rpcError: expect.any(Buffer),
  })
  const odd = call()
  child?.write(`{"id":"${lastId()}","result":[]}`)
  expect(await odd).toMatchObject({
    code: 'result_invalid',
    error: expect.stringMatching(/It was dropped, because its result is not an object\.$/),
  })
  const abort = new AbortController()
  const cancelled = call('echo', abort.signal)
  abort.abort()
  expect(await cancelled).toMatchObject({ code: 'call_cancelled' })
  const cut = call()
  child?.end(1)
  expect(await cut).toMatchObject({ ok: false, code: 'server_exited' })
})

test('[RUN.11] distinguishes a server that is not ready, not run or unknown', async () => {
  world.next = [() => Object.assign(new FakeChild(), { speaks: false })]
  const { call, servers, named } = await ready([entry(), { kind: 'http', name: 'web' } as never])
  expect(await call()).toMatchObject({
    code: 'server_unavailable',
    error: expect.stringMatching(/It is starting\.$/),
  })
  expect(await call('echo', undefined, 'web')).toMatchObject({
    ok: false,
    code: 'server_unavailable',
    error: expect.stringContaining('over HTTP'),
  })
  expect(await call('echo', undefined, 'none')).toMatchObject({ ok: false, code: 'server_not_found' })
  expect(servers.catalog()).toEqual([
    { state: 'starting', name: 's' },
    { state: 'failed', name: 'web', reason: expect.stringContaining('over HTTP') },
  ])
  expect(named('server-failed')).toMatchObject([{ name: 'web', stderr: '', ignoredLines: 0 }])
  world.children[0]?.end(3)
  await settled()
  expect(await call()).toMatchObject({
    error: expect.stringMatching(/It ended during its start with exit code 3\.$/),
  })
})

test('[PROC.8] restarts a server that keeps ending after doubling waits, until it ran for a minute', async () => {
  const { system, named } = await ready()
  const waits: number[] = []
  for (let time = 1; time <= 4; time++) {
    world.children.at(-1)?.end(1)
    await settled()
    const retryInMs = named('server-exited').at(-1)?.retryInMs ?? 0
    waits.push(retryInMs)
    await system.advance(retryInMs - 1)
    expect(world.children).toHaveLength(time)
    await system.advance(1)
    await settled()
    expect(world.children).toHaveLength(time + 1)
    expect(named('server-ready')).toHaveLength(time + 1)
  }
  expect(waits).toEqual([499, 999, 1_999, 3_999])
  for (const [wellMs, waitMs] of [
    [59_999, 7_999],
    [60_000, 499],
  ] as const) {
    await system.advance(wellMs)
    world.children.at(-1)?.end(1)
    await settled()
    expect(named('server-exited').at(-1)?.retryInMs).toBe(waitMs)
    await system.advance(waitMs)
    await settled()
  }
})

test('[PROC.3] retries a missing program every 30 seconds, and another failure sooner', async () => {
  const missing = (code: string) => () => {
    const child = new FakeChild(false)
    setImmediate(() => child.emit('error', Object.assign(new Error('no'), { code })))
    return child
  }
  world.next = [missing('ENOENT'), missing('ENOENT'), missing('EACCES')]
  const { system, named } = await ready()
  expect(named('server-failed')).toMatchObject([
    { retryInMs: 30_000, reason: expect.stringContaining('was not found') },
  ])
  await system.advance(30_000)
  await settled()
  expect(named('server-failed')[1]).toMatchObject({ retryInMs: 30_000 })
  await system.advance(30_000)
  await settled()
  expect(named('server-failed')[2]).toMatchObject({
    retryInMs: 1_999,
    reason: expect.stringContaining('(EACCES)'),
  })
  await system.advance(1_999)
  await settled()
  expect(named('server-ready')).toHaveLength(1)
})

test('[PROC.5] ends a server that is not ready in time, and keeps one that is just in time', async () => {
  world.next = [() => Object.assign(new FakeChild(), { speaks: false })]
  const { system, named } = await ready()
  await system.advance(START_MS - 1)
  expect(named('server-failed')).toEqual([])
  await system.advance(1)
  await settled()
  expect(named('server-failed')).toMatchObject([
    { reason: 'It was stopped, because it was not ready within 20 seconds.' },
  ])
  await system.advance(500)
  await settled()
  await system.advance(10 * START_MS)
  expect([named('server-ready').length, named('server-exited')]).toEqual([1, []])
})

test('[PROC.10] closes the input on stop, then sends SIGTERM, then SIGKILL, each after its time', async () => {
  const stubborn = { endsWithInput: false, endsAt: 'SIGKILL' }
  world.next = [() => Object.assign(new FakeChild(), stubborn)]
  const { system, servers } = await ready()
  let stopped = false
  void servers.stop().then(() => (stopped = true))
  await settled()
  expect(world.children[0]?.stdin.writableEnded).toBe(true)
  await system.advance(999)
  expect(world.happened).toEqual(['add 0'])
  await system.advance(1)
  expect(world.happened).toEqual(['add 0', 'SIGTERM 0', 'SIGCONT 0'])
  await system.advance(1_999)
  expect([world.happened.length, stopped]).toEqual([3, false])
  await system.advance(1)
  await settled()
  expect(stopped).toBe(true)
  // Its group is killed with it, before the system can reuse the number.
  expect(world.happened).toEqual(['add 0', 'SIGTERM 0', 'SIGCONT 0', 'SIGKILL 0', 'SIGKILL 0', 'remove 0'])
  expect(servers.catalog()).toEqual([{ state: 'failed', name: 's', reason: 'It was stopped.' }])
})

test('[PROC.10] sends no signal to a server that ends with its input, and does not restart it', async () => {
  const { system, servers, named } = await ready()
  await servers.stop()
  await system.advance(120_000)
  expect(world.happened).toEqual(['add 0', 'SIGKILL 0', 'remove 0'])
  expect([world.children.length, named('server-exited')]).toEqual([1, []])
})

test('[PROC.10] stops at once a server that waits for its restart', async () => {
  const { servers } = await ready()
  world.children[0]?.end(1)
  await settled()
  await servers.stop()
  expect(world.children).toHaveLength(1)
})

test('[STDIO.6] ends a server that closes its output, unless it exits within half a second', async () => {
  const { system, named } = await ready()
  world.children[0]?.stdout.end()
  await settled()
  await system.advance(499)
  expect(named('server-exited')).toEqual([])
  await system.advance(1)
  await settled()
  expect(named('server-exited')).toMatchObject([
    { reason: 'It was stopped, because it closed its standard output.' },
  ])
  await system.advance(499)
  await settled()
  world.children[1]?.stdin.emit('error', new Error('EPIPE'))
  await system.advance(500)
  await settled()
  expect(named('server-exited')[1]).toMatchObject({
    reason: 'It was stopped, because it closed its standard input.',
  })
})

test('[STDIO.1] [STDIO.4] keeps a server despite lines that are no messages or too long', async () => {
  const { named, call } = await ready()
  const [child] = world.children
  for (const line of ['hello', '{}', '[]', '']) child?.write(line)
  child?.stdout.write(Buffer.alloc(limits.payloadBytes + 1, 0x78))
  child?.write('')
  await settled()
  const answered = call()
  child?.write(`{"id":${child.requests('tools/call').at(-1)?.id},"result":{}}`)
  expect(await answered).toMatchObject({ ok: true })
  expect(named('server-exited')).toEqual([])
})

test('[TOOLS.5] reads changed tools again each time, and reports only real changes', async () => {
  const { named, servers, system, changes } = await ready()
  const [child] = world.children
  const change = async () => {
    child?.write('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}')
    await settled()
    await system.advance(1_050)
  }
  await change()
  expect([named('server-tools-changed'), child?.requests('tools/list').length]).toEqual([[], 2])
  const before = changes()
  for (const count of [2, 1]) {
    if (child !== undefined)
      child.tools = Array.from({ length: count }, (_, n) => ({ ...TOOL, name: `t${n}` }))
    await change()
    expect(named('server-tools-changed').at(-1)).toEqual({
      type: 'server-tools-changed',
      name: 's',
      tools: count,
    })
    expect(servers.catalog()[0]).toMatchObject({ tools: { length: count } })
  }
  expect(changes()).toBe(before + 2)
  if (child !== undefined) child.tools = [{ ...TOOL, name: 'as many, and another' }]
  await change()
  expect(named('server-tools-changed')).toHaveLength(3)
  if (child !== undefined) child.tools = { not: 'a list' } as never
  await change()
  expect(named('server-tools-unread')).toEqual([
    { type: 'server-tools-unread', name: 's', reason: 'its list of tools cannot be read' },
  ])
  expect(servers.catalog()[0]).toMatchObject({ state: 'ready', tools: { length: 1 } })
})

test('[TOOLS.6] [TOOLS.7] fails a server whose first list is unusable, and asks one without the capability once', async () => {
  world.next = [
    () => Object.assign(new FakeChild(), { tools: 'none' }),
    () => Object.assign(new FakeChild(), { hasTools: false }),
  ]
  const { named, system } = await ready()
  expect(named('server-failed')).toMatchObject([
    { reason: 'It was stopped, because its list of tools cannot be read.' },
  ])
  await system.advance(500)
  await settled()
  expect(named('server-ready')).toMatchObject([{ tools: 1 }])
  expect(world.children[1]?.requests('tools/list')).toHaveLength(1)
})

test('[PROC.6] [PROC.7] reports a server’s standard error line by line and at its end, without secrets', async () => {
  const { named } = await ready([entry({ secrets: ['secret-1'] })])
  const [child] = world.children
  child?.stderr.write('my secret-1\nrest')
  await settled()
  child?.end(null, 'SIGSEGV')
  await settled()
  expect(named('server-stderr')).toEqual([{ type: 'server-stderr', name: 's', text: 'my [hidden]' }])
  expect(named('server-exited')).toMatchObject([
    { stderr: 'my [hidden] rest', reason: 'It was ended by SIGSEGV.' },
  ])
})

test('[PROC.7] hides a secret that is cut in an ignored line or in a refusal', async () => {
  const secret = Array.from({ length: 900 }, (_, n) => `${n}`).join('-')
  world.next = [() => new FakeChild(), () => Object.assign(new FakeChild(), { speaks: false })]
  const { named, system } = await ready([entry({ secrets: [secret] })])
  world.children[0]?.write(`log ${secret}`)
  await settled()
  expect(named('server-output-ignored')).toMatchObject([{ text: 'log [hidden]' }])
  world.children[0]?.end(1)
  await settled()
  await system.advance(500)
  await settled()
  // An offer that is refused is followed by one of an older version.
  for (const offer of [0, 1]) {
    const id = world.children[1]?.requests('initialize')[offer]?.id
    world.children[1]?.write(JSON.stringify({ jsonrpc: '2.0', id, error: { code: 1, message: secret } }))
    await settled()
  }
  expect(named('server-failed')[0]?.reason).toContain('[hidden]')
  expect(named('server-failed')[0]?.reason).not.toContain('0-1-2')
})

test('[LINK.5] reports changes within 50 ms as one', async () => {
  const { system, changes } = await ready([entry(), entry({ name: 'other' })])
  expect(changes()).toBe(0)
  await system.advance(49)
  expect(changes()).toBe(0)
  await system.advance(1)
  expect(changes()).toBe(1)
  world.children[0]?.end(1)
  await settled()
  await system.advance(50)
  expect(changes()).toBe(2)
})

test('[TOOLS.5] reads the list again after a change of its tools, and after no other notification', async () => {
  const { system } = await ready()
  const [child] = world.children
  const reads = async (method: string) => {
    const before = child?.requests('tools/list').length ?? 0
    child?.write(JSON.stringify({ jsonrpc: '2.0', method }))
    await settled()
    await system.advance(5_000)
    await settled()
    return (child?.requests('tools/list').length ?? 0) - before
  }
  expect(await reads('notifications/prompts/list_changed')).toBe(0)
  expect(await reads('notifications/message')).toBe(0)
  expect(await reads('notifications/tools/list_changed')).toBe(1)
  expect(await reads('notifications/tools/list_changed')).toBe(1)
})
