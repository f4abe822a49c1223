import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Program } from '../../../test/support/program.ts'
import { scratch } from '../../../test/support/scratch.ts'
import { type AgentLock, lockAgent } from '../src/keychain/agent-lock.ts'
import { takeLock } from '../src/keychain/file-lock.ts'
import { realSystem, type System } from '../src/system.ts'

const FIXTURE = join(import.meta.dirname, 'fixtures/agent-lock.ts')
const OWN = { pid: process.pid, sinceMs: 1_000, config: '/mcp.json' }
/** More than the system gives out. */
const NO_PID = 2 ** 30

function start(path: string): Program {
  return new Program(process.execPath, [FIXTURE, path])
}

function outcome(program: Program): Promise<AgentLock> {
  return program.printed((stdout) => (stdout.endsWith('\n') ? JSON.parse(stdout) : undefined))
}

/** Time passes only by waiting. */
function waitingSystem(onWait: () => void = () => {}): System {
  let nowMs = 0
  return {
    ...realSystem,
    monotonicMs: () => nowMs,
    schedule: (delayMs, run) => {
      nowMs += delayMs
      onWait()
      setImmediate(run)
      return () => {}
    },
  }
}

test('[KEYCHAIN.9] gives the lock to one of three processes that start at once, and names it to the others', async () => {
  const path = join(scratch(), 'agent')
  const programs = [start(path), start(path), start(path)]
  const outcomes = await Promise.all(programs.map(outcome))
  const first = outcomes.findIndex(({ is }) => is === 'taken')
  const others = outcomes.filter((_, i) => i !== first)
  expect(others).toHaveLength(2)
  for (const other of others)
    expect(other).toMatchObject({
      is: 'running',
      agent: { pid: programs[first]?.pid, config: '/config.json' },
    })
})

test('[KEYCHAIN.9] releases the lock of a killed agent', async () => {
  const path = join(scratch(), 'agent')
  const killed = start(path)
  expect((await outcome(killed)).is).toBe('taken')
  killed.signal('SIGKILL')
  await killed.ended
  const lock = await lockAgent(realSystem, path, OWN)
  expect(lock.is).toBe('taken')
  expect(JSON.parse(readFileSync(`${path}.json`, 'utf8'))).toEqual(OWN)
  if (lock.is === 'taken') lock.release()
  expect((await outcome(start(path))).is).toBe('taken')
})

test.each([
  ['missing', undefined],
  ['that of a killed agent', JSON.stringify({ ...OWN, pid: NO_PID })],
  ['torn', '{"pid":1,'],
  ['of another form', JSON.stringify({ ...OWN, pid: -1 })],
])('[KEYCHAIN.9] reports a running agent without its name while its note is %s', async (_, content) => {
  const path = join(scratch(), 'agent')
  const lock = takeLock(`${path}.lock`)
  if (content !== undefined) writeFileSync(`${path}.json`, content, { mode: 0o600 })
  expect(await lockAgent(waitingSystem(), path, OWN)).toEqual({ is: 'running', agent: undefined })
  const late = waitingSystem(() => writeFileSync(`${path}.json`, JSON.stringify(OWN), { mode: 0o600 }))
  expect(await lockAgent(late, path, OWN)).toEqual({ is: 'running', agent: OWN })
  lock?.close()
})

test.skipIf(process.platform === 'win32')('[KEYCHAIN.2] refuses a note that others may read', async () => {
  const path = join(scratch(), 'agent')
  const lock = takeLock(`${path}.lock`)
  writeFileSync(`${path}.json`, JSON.stringify(OWN), { mode: 0o600 })
  chmodSync(`${path}.json`, 0o644)
  await expect(lockAgent(realSystem, path, OWN)).rejects.toMatchObject({ code: 'keychain_exposed' })
  lock?.close()
})
