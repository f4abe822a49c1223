import { expect, test } from 'vitest'
import { FakeChild, START_MS, settled } from '../support/fake-child.ts'
import { child, fakeInstances, key } from '../support/fake-instances.ts'

const plain = () => new FakeChild()
const silent = child({ speaks: false })

test.each([
  ['2025-11-25', '2025-11-25'],
  ['2025-03-26', '2025-03-26'],
  ['2024-11-05', '2024-11-05'],
  // The agent cannot offer a revision that it does not know.
  ['2024-10-07', '2025-11-25'],
])(
  '[INST.3] offers a further process of a server that speaks %s the revision %s',
  async (version, offered) => {
    const { children, shared } = await fakeInstances([child({ version }), child({ version })])
    expect(await shared(key('2025', 'roots'))).toMatchObject({ version })
    expect(children[1]?.requests('initialize')).toMatchObject([{ params: { protocolVersion: offered } }])
  },
)

test('[INST.7] fails a further process that is not ready within the start limit', async () => {
  const { instances, named, servers, system } = await fakeInstances([plain, silent])
  const started = instances.shared(key('2025', 'roots'))
  await settled()
  await system.advance(START_MS - 1)
  expect(named('server-instance-failed')).toEqual([])
  await system.advance(1)
  const reason = 'It was stopped, because it was not ready within 20 seconds.'
  expect(await started).toEqual({ fault: 'unavailable', reason })
  expect(named('server-instance-failed')).toEqual([
    { type: 'server-instance-failed', name: 's', reason, stderr: '', ignoredLines: 0 },
  ])
  expect(servers.catalog()[0]?.state).toBe('ready')
})

test('[INST.7] fails a further process that ends during its start, with its last words', async () => {
  const { children, instances, named } = await fakeInstances([plain, silent])
  const started = instances.shared(key('2025', 'roots'))
  await settled()
  children[1]?.write('log')
  children[1]?.stderr.write('oops')
  await settled()
  children[1]?.end(3)
  const reason = 'It ended during its start with exit code 3.'
  expect(await started).toEqual({ fault: 'unavailable', reason })
  expect(named('server-instance-failed')).toMatchObject([{ reason, stderr: 'oops', ignoredLines: 1 }])
  expect(instances.eras).toEqual({ 2025: true })
})

test('[INST.1] does not take a program that cannot be started for one of the other era', async () => {
  const fails = () => {
    throw Object.assign(new Error('no'), { code: 'EMFILE' })
  }
  const { instances, named } = await fakeInstances([plain, fails])
  const reason = 'The program "fake" could not be started (EMFILE).'
  expect(await instances.shared(key('2026'))).toEqual({ fault: 'unavailable', reason })
  expect([instances.eras, named('server-instance-failed').length]).toEqual([{ 2025: true }, 1])
})

test('[INST.1] knows that a server refuses the 2026 era before its process has ended', async () => {
  const { children, instances, named, system } = await fakeInstances([
    plain,
    child({ endsWithInput: false, endsAt: 'SIGKILL' }),
  ])
  expect(await instances.shared(key('2026'))).toEqual({ fault: 'era' })
  expect(children[1]?.exitCode).toBeNull()
  await system.advance(3_000)
  expect([children[1]?.signalCode, named('server-instance-failed')]).toEqual(['SIGKILL', []])
})

test('[INST.8] refuses a process that is stopped during its start, reports no failure, and waits for its end', async () => {
  const slow = { speaks: false, endsWithInput: false, endsAt: 'SIGTERM' }
  const { children, instances, named, servers, system } = await fakeInstances([
    plain,
    child(slow),
    child(slow),
  ])
  const started = [instances.shared(key('2025', 'roots')), instances.shared(key('2026'))]
  await settled()
  let hasStopped = false
  void servers.stop().then(() => {
    hasStopped = true
  })
  await settled()
  expect([children[0]?.exitCode, hasStopped]).toEqual([0, false])
  await system.advance(1_000)
  const stopped = { fault: 'unavailable', reason: 'It was stopped.' }
  expect(await Promise.all(started)).toEqual([stopped, stopped])
  await settled()
  expect([hasStopped, named('server-instance-failed')]).toEqual([true, []])
})

test('[INST.8] starts no process that waits for its turn when the server stops', async () => {
  const { children, instances, servers } = await fakeInstances([plain, silent, silent, silent, silent])
  const keys = [
    key('2025', 'roots'),
    key('2025', 'tasks'),
    key('2025', 'roots', 'tasks'),
    key('2025', 'sampling'),
    key('2025', 'elicitation-form'),
  ]
  const started = keys.map((each) => instances.shared(each))
  await settled()
  expect(children).toHaveLength(5)
  await servers.stop()
  expect(await started.at(-1)).toEqual({ fault: 'unavailable', reason: 'It was stopped.' })
  expect(children).toHaveLength(5)
})
