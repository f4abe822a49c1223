import { expect, test } from 'vitest'
import type { StdioEntry } from '../../src/config/entry.ts'
import { StartGate } from '../../src/servers/start-gate.ts'
import { mayNeedInstall, startLimitMs } from '../../src/servers/start-limit.ts'
import { FakeSystem } from '../support/fake-system.ts'

const never = new AbortController().signal
const entry = (
  command: string,
  args: readonly string[] = [],
  startLimit?: StdioEntry['startLimit'],
): StdioEntry => ({
  ...{ kind: 'stdio', name: 'a', command, args, env: {}, secrets: [] },
  ...(startLimit && { startLimit }),
})

test.each([
  ['npx', []],
  ['/usr/bin/uvx', []],
  ['C:\\Program Files\\nodejs\\npx.cmd', []],
  ['docker', ['run']],
  ['cmd', ['/c', 'npx', '-y', 'x']],
  ['sh', ['-c', 'exec npx -y x']],
])('[PROC.15] recognizes a command that may install something first: %s', (command, args) => {
  expect(mayNeedInstall({ command, args })).toBe(true)
})

const INSTALLERS =
  'npx npm pnpm pnpx yarn bun bunx deno uv uvx pip pip3 pipx poetry docker podman nerdctl dnx dotnet cargo go nix mvn ' +
  'gradle jbang'
const LAUNCHERS = 'cmd sh bash zsh env powershell pwsh mise wsl'

test('[PROC.15] knows the programs that download what they run, and those that only start another', () => {
  for (const command of INSTALLERS.split(' '))
    expect(mayNeedInstall({ command, args: [] }), command).toBe(true)
  for (const command of LAUNCHERS.split(' ')) {
    expect(mayNeedInstall({ command, args: ['-c', 'exec  C:\\NPX.EXE x'] }), command).toBe(true)
    expect(mayNeedInstall({ command, args: [] }), command).toBe(false)
  }
  for (const suffix of ['exe', 'cmd', 'bat', 'ps1'])
    expect(mayNeedInstall({ command: `npx.${suffix}`, args: [] }), suffix).toBe(true)
})

test.each([
  ['node', ['npx.js']],
  ['sh', ['-c', 'node x.js']],
  ['', ['npx']],
  ['node', ['x', 'npx']],
])('[PROC.15] recognizes a command that does not: %s', (command, args) => {
  expect(mayNeedInstall({ command, args })).toBe(false)
})

test('[PROC.15] takes the start limit of the entry, of all, or 2 minutes, and 10 for installers', () => {
  const loose = { limitMs: 60_000, isExact: false }
  const exact = { limitMs: 60_000, isExact: true }
  expect(startLimitMs(entry('node'), undefined)).toBe(120_000)
  expect(startLimitMs(entry('npx'), undefined)).toBe(600_000)
  expect(startLimitMs(entry('npx'), 5_000)).toBe(5_000)
  expect(startLimitMs(entry('node', [], loose), 5_000)).toBe(60_000)
  expect(startLimitMs(entry('npx', [], exact), undefined)).toBe(60_000)
  // The limit that many programs mean for calls does not cut an installation short.
  expect(startLimitMs(entry('npx', [], loose), undefined)).toBe(600_000)
})

/** Enters servers one by one, and records which are in. */
async function crowd(count: number, mayInstall = false) {
  const system = new FakeSystem()
  const gate = new StartGate(system)
  const leave: (() => void)[] = []
  for (let n = 0; n < count; n++)
    void gate.enter(mayInstall, never).then((out) => {
      leave[n] = out
    })
  await system.advance(0)
  return { system, gate, leave, inside: () => Object.keys(leave).map(Number) }
}

test('[PROC.16] starts four servers at a time, and the next when one is done', async () => {
  const { system, leave, inside } = await crowd(6)
  expect(inside()).toEqual([0, 1, 2, 3])
  leave[2]?.()
  leave[2]?.()
  await system.advance(0)
  expect(inside()).toEqual([0, 1, 2, 3, 4])
})

test('[PROC.16] does not let a slow server delay others', async () => {
  const plain = await crowd(5)
  await plain.system.advance(14_999)
  expect(plain.inside()).toHaveLength(4)
  await plain.system.advance(1)
  expect(plain.inside()).toHaveLength(5)
  const installing = await crowd(5, true)
  await installing.system.advance(59_999)
  expect(installing.inside()).toHaveLength(4)
  await installing.system.advance(1)
  expect(installing.inside()).toHaveLength(5)
})

test('[PROC.16] gives the turn of a server that no longer waits to the next', async () => {
  const { system, gate, leave, inside } = await crowd(4)
  const stop = new AbortController()
  const stopped = gate.enter(false, stop.signal)
  void gate.enter(false, never).then((out) => {
    leave[4] = out
  })
  stop.abort()
  ;(await stopped)()
  await gate.enter(false, stop.signal)
  expect(inside()).toEqual([0, 1, 2, 3])
  leave[0]?.()
  await system.advance(0)
  expect(inside()).toEqual([0, 1, 2, 3, 4])
})

test('[PROC.16] keeps the turn of a server that stops after its turn came, and those that wait', async () => {
  const { system, gate, leave, inside } = await crowd(4)
  const stop = new AbortController()
  for (const [at, signal] of [
    [4, stop.signal],
    [5, never],
  ] as const)
    void gate.enter(false, signal).then((out) => {
      leave[at] = out
    })
  leave[0]?.()
  await system.advance(0)
  stop.abort()
  expect(inside()).toEqual([0, 1, 2, 3, 4])
  leave[1]?.()
  await system.advance(0)
  expect(inside()).toEqual([0, 1, 2, 3, 4, 5])
  // Nobody waits, so the turns are free.
  for (const out of leave.slice(2)) out()
  for (let count = 0; count < 4; count++) await gate.enter(false, never)
})
