import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { realSystem } from '@bridgekeeper/bridge'
import { DataFolder } from '@bridgekeeper/standalone'
import { expect, test, vi } from 'vitest'
import { canaries } from '../../packages/bridge/test/support/canaries.ts'
import { bridgekeeper, jsonOf, serve, startBridgekeeper } from '../support/installation.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { addUser } from '../support/operator.ts'
import { scratch } from '../support/scratch.ts'

type Line = Readonly<Record<string, unknown>>

const logOf = (data: string): string => join(data, 'security.log')

function linesIn(data: string): Line[] {
  const lines = readFileSync(logOf(data), 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line))
}

const verify = (data: string, ...more: string[]) => bridgekeeper(['audit', 'verify', '--data', data, ...more])

test('[LOG.11] [LOG.13] [AUDIT.3] logs operators’ acts in the running node’s file and on standard output', async () => {
  const bridge = await serve()
  await bridgekeeper(['user', 'add', 'ann@example.com', '--data', bridge.data])
  await bridgekeeper(['token', 'issue', 'ann@example.com', '--ttl', '1h', '--data', bridge.data])
  const copied = await bridge.program.printed((stdout) => {
    const lines = stdout.split('\n').filter((line) => line.includes('"seq"'))
    return lines.length < 3 ? undefined : lines
  })
  expect(copied.map((line) => JSON.parse(line))).toMatchObject([
    { event: 'bridge_started', version: expect.any(String), seq: 1 },
    { event: 'user_added', userId: expect.stringMatching(/^user_/), seq: 2 },
    { event: 'token_issued', userId: expect.stringMatching(/^user_/), lifetimeSeconds: 3_600, seq: 3 },
  ])
  expect(`${copied.join('\n')}\n`).toBe(readFileSync(logOf(bridge.data), 'utf8'))

  const before = readFileSync(logOf(bridge.data), 'utf8')
  expect(await jsonOf(verify(bridge.data, '--json'))).toMatchObject({ intact: true, firstSeq: 1, lastSeq: 3 })
  expect(readFileSync(logOf(bridge.data), 'utf8')).toBe(before)

  bridge.program.signal('SIGTERM')
  expect((await bridge.program.ended).code).toBe(0)
  expect(linesIn(bridge.data).at(-1)).toMatchObject({ event: 'bridge_stopped', seq: 4 })
  const { code, stdout } = await verify(bridge.data)
  expect([code, stdout]).toEqual([
    0,
    '4 lines in 1 file, numbers 1 to 4; anchored up to 4.\nThe log is intact.\n',
  ])
})

test('[LOG.11] logs acts from while no node ran at the next start, with their time', async () => {
  const data = join(scratch(), 'data')
  await bridgekeeper(['user', 'add', 'ann@example.com', '--data', data])
  const doneMs = Date.now()
  const bridge = await serve({ data })
  const added = await vi.waitFor(() => {
    const found = linesIn(data).find(({ event }) => event === 'user_added')
    expect(found).toBeDefined()
    return found
  })
  expect(Date.parse(String(added?.timestamp))).toBeLessThanOrEqual(doneMs)
  bridge.program.signal('SIGKILL')
  await bridge.program.ended
  const again = await serve({ data })
  again.program.signal('SIGTERM')
  await again.program.ended
  expect(linesIn(data).filter(({ event }) => event === 'user_added')).toHaveLength(1)
})

test('[LOG.10] refuses a second node on a data folder, and starts the next at once after a kill', async () => {
  const { data, program } = await serve()
  const second = startBridgekeeper(['serve', '--port', '0', '--data', data])
  const { code, stderr } = await second.ended
  expect(code).toBe(1)
  expect(stderr).toContain('code:  data_folder_busy\nnext:  ')
  for (const pid of program.processes()) process.kill(pid, 'SIGKILL')
  await program.ended
  await serve({ data })
  expect(linesIn(data).map(({ event }) => event)).toEqual(['bridge_started', 'bridge_started'])
})

test('[LOG.14] refuses to start a node whose log cannot be opened', async () => {
  const data = scratch()
  const { data: other } = await serve()
  rmSync(logOf(data), { force: true })
  writeFileSync(
    join(data, 'security.log.lock'),
    'this is no lock, and long enough to be seen as none'.repeat(30),
  )
  const { code, stdout } = await bridgekeeper(['serve', '--port', '0', '--data', data, '--json'])
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'log_unusable', next: expect.any(String) } })
  expect(linesIn(other)).toHaveLength(1)
})

test('[AUDIT.2] audit verify names each problem and the log’s start and end, and exits with 1', async () => {
  const data = join(scratch(), 'data')
  const folder = await DataFolder.open(data, {}, realSystem())
  for (const name of ['ann', 'bob', 'cat', 'dan']) await addUser(folder, `${name}@example.com`)
  await folder.close()
  const { program } = await serve({ data })
  program.signal('SIGTERM')
  await program.ended
  const whole = readFileSync(logOf(data), 'utf8')
  const other = await bridgekeeper(['audit', 'verify', '--data', data], { JWT_SECRET: 'x'.repeat(32) })
  expect([other.code, other.stdout]).toEqual([1, expect.stringContaining('JWT_SECRET is not the secret')])
  writeFileSync(logOf(data), `${whole.replace('"seq":3', '"seq":9')}{"torn`)
  const { code, stdout } = await verify(data)
  expect(code).toBe(1)
  expect(stdout).toContain('security.log:3  lines 3 to 8 are missing before it')
  expect(stdout).toContain('security.log:4  has number 4 but follows 9')
  expect(stdout).toContain('Read up to the last complete line, 6; 6 bytes of a torn line follow.')
  expect(stdout).toContain('The log was ALTERED.')

  writeFileSync(logOf(data), `${whole.split('\n').slice(0, 4).join('\n')}\n`)
  expect(JSON.parse((await verify(data, '--json')).stdout)).toMatchObject({
    intact: false,
    lastSeq: 4,
    anchoredSeq: 6,
    problems: [{ kind: 'tail_missing', text: 'Lines 5 to 6 are missing at the end.' }],
  })
  writeFileSync(logOf(data), whole.repeat(200))
  expect((await verify(data)).stdout).toMatch(/… and \d+ more\./)

  writeFileSync(join(data, 'security-1.log'), whole)
  rmSync(logOf(data))
  expect((await verify(data)).code).toBe(0)

  const nowhere = await verify(join(scratch(), 'none'), '--json')
  expect([nowhere.code, JSON.parse(nowhere.stdout).error.code]).toEqual([1, 'log_missing'])
})

test('[LOG.3] keeps secrets of callers and agents out of the log and standard output', async () => {
  const bridge = await serve()
  const secrets = canaries(60)
  for (const { text } of secrets) {
    await post(
      bridge,
      `/mcp/${encodeURIComponent(text)}`,
      toolCall(text),
      bearer(text.replace(/[^\x21-\x7e]/g, '_')),
    )
    await post(bridge, `/mcp?token=${encodeURIComponent(text)}`, toolCall(text))
  }
  bridge.program.signal('SIGTERM')
  const { stdout, stderr } = await bridge.program.ended
  const seen = stdout + stderr + readFileSync(logOf(bridge.data), 'utf8')
  expect(secrets.filter(({ secret }) => seen.includes(secret))).toEqual([])
})
