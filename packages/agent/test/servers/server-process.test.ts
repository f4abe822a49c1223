import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { MARK } from '../../src/servers/family.ts'
import type { Reaper } from '../../src/servers/reaper.ts'
import {
  type Processes,
  type ProcessSpec,
  realProcesses,
  ServerProcess,
} from '../../src/servers/server-process.ts'
import { FakeChild, settled } from '../support/fake-child.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { isAlive, until } from '../support/until.ts'

const TIMES = { stdinMs: 1_000, termMs: 2_000 }
const SPEC: ProcessSpec = { command: 'fake', args: [], env: {} }

function start(spec: ProcessSpec, processes: Processes) {
  const system = new FakeSystem()
  const happened: string[] = []
  const reaper = {
    add: (group: number, mark: string) => happened.push(`add ${group} ${mark}`),
    removeGroup: (group: number) => happened.push(`remove group ${group}`),
    removeMark: (mark: string) => happened.push(`remove mark ${mark}`),
  }
  const output: string[] = []
  const handlers = {
    onStdout: (chunk: Buffer) => output.push(`out ${chunk}`),
    onStderr: (chunk: Buffer) => output.push(`err ${chunk}`),
    onPipeEnd: (pipe: string) => output.push(`${pipe} has ended`),
  }
  const deps = { system, reaper: reaper as unknown as Reaper, processes }
  return { server: new ServerProcess(spec, handlers, deps), system, happened, output }
}

/** A process that the test drives. */
function fake(child = new FakeChild()) {
  const envs: (NodeJS.ProcessEnv | undefined)[] = []
  const signals: string[] = []
  const started = start(SPEC, {
    spawn: (_command, _args, { env }) => {
      envs.push(env)
      return child as unknown as ChildProcessWithoutNullStreams
    },
    signalGroup: (group, signal) => signals.push(`${signal} ${group}`) > 0,
  })
  return { ...started, child, envs, signals }
}

test('[PROC.12] names a process and its mark to the reaper, until both have ended', async () => {
  const { server, child, envs, happened, signals } = fake()
  const mark = envs[0]?.[MARK]
  expect(mark).toMatch(/^[0-9a-f-]{36}$/)
  expect(happened).toEqual([`add ${child.pid} ${mark}`])
  child.end(3)
  expect(happened[1]).toBe(`remove group ${child.pid}`)
  expect(await server.ended).toEqual({ kind: 'exited', exitCode: 3 })
  expect([happened.slice(2), signals]).toEqual([[`remove mark ${mark}`], [`SIGKILL ${child.pid}`]])
  expect([child.stdout.destroyed, child.stderr.destroyed]).toEqual([true, true])
  const other = fake()
  expect(other.envs[0]?.[MARK]).not.toBe(mark)
  other.child.end(null, 'SIGTERM')
  expect(await other.server.ended).toEqual({ kind: 'killed', signal: 'SIGTERM' })
})

test('[RUN.10] reads what a process wrote before its end, for half a second at most', async () => {
  const { server, child, output, system } = fake()
  child.stdout.write('a')
  child.stderr.write('b')
  child.exitCode = 0
  child.emit('exit', 0, null)
  let hasEnded = false
  void server.ended.then(() => {
    hasEnded = true
  })
  await system.advance(499)
  expect([output, hasEnded]).toEqual([['out a', 'err b'], false])
  await system.advance(1)
  expect(hasEnded).toBe(true)
})

test('[STDIO.6] reports a pipe that ends without its process', async () => {
  const { child, output, system } = fake()
  child.stdout.end()
  child.stdin.emit('error', new Error('EPIPE'))
  await settled()
  await system.advance(499)
  expect(output).toEqual([])
  await system.advance(1)
  expect(output.toSorted()).toEqual(['stdin has ended', 'stdout has ended'])
})

test('[PROC.4] gives the reason why a program was not started, and takes no input for it', async () => {
  const failed = fake(new FakeChild(false))
  failed.child.emit('error', new Error('no'))
  expect(await failed.server.ended).toEqual({ kind: 'not-started', errno: 'unknown' })
  failed.server.write(Buffer.from('x'))
  await failed.server.stop(TIMES)
  expect([failed.server.queuedBytes, failed.happened, failed.child.lines]).toEqual([0, [], []])
  expect(failed.child.stdin.writableEnded).toBe(false)
})

test('[STDIO.5] counts the input that a process has not read', () => {
  const { server, child } = fake()
  child.stdin.pause()
  let read = 0
  server.write(Buffer.alloc(100_000), () => read++)
  server.write(Buffer.alloc(5))
  expect([server.queuedBytes, read]).toEqual([100_005, 0])
  child.stdin.resume()
})

test('[PROC.10] sends no signal to a process that has exited', async () => {
  for (const changes of [{ exitCode: 0 }, { signalCode: 'SIGHUP' as const }]) {
    const { server, child, signals, system } = fake(Object.assign(new FakeChild(), { endsWithInput: false }))
    const stopped = server.stop(TIMES)
    Object.assign(child, changes)
    await system.advance(10_000)
    await stopped
    expect(signals).toEqual([])
  }
})

test('[PROC.10] gives up a process that not even SIGKILL ends, two seconds after it', async () => {
  const { server, child, signals, system } = fake(Object.assign(new FakeChild(), { endsWithInput: false }))
  let hasStopped = false
  void server.stop(TIMES).then(() => {
    hasStopped = true
  })
  await system.advance(3_000)
  const sent = ['SIGTERM', 'SIGCONT', 'SIGKILL'].map((signal) => `${signal} ${child.pid}`)
  expect(signals).toEqual(sent)
  await system.advance(1_999)
  expect(hasStopped).toBe(false)
  await system.advance(1)
  expect([hasStopped, signals]).toEqual([true, sent])
})

/** Starts a shell. `pids` are printed by it. */
async function shell(script: string) {
  const spec = { command: 'sh', args: ['-c', script], env: { PATH: process.env.PATH ?? '' } }
  let child: ChildProcessWithoutNullStreams | undefined
  const started = start(spec, {
    ...realProcesses,
    spawn: (...args) => {
      child = spawn(...(args as Parameters<Processes['spawn']>))
      return child
    },
  })
  const pids = await until(() => {
    const text = started.output.join('')
    return text.includes('.') && /\d\D/.test(text) && (text.match(/\d+/g) ?? []).map(Number)
  })
  const main = child?.pid ?? expect.fail()
  onTestFinished(() => {
    for (const pid of [main, ...pids]) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
  const hasExited = () => until(() => started.happened.some((each) => each.startsWith('remove group')))
  return { ...started, main, stray: pids[0] ?? expect.fail(), hasExited }
}

test.runIf(process.platform === 'linux')(
  '[PROC.10] gives a process that a server leaves behind a second to close, then kills it',
  async () => {
    const stray = `setsid sh -c 'trap "" TERM; echo $$.; exec sleep 60'`
    const run = await shell(`${stray} & exec cat`)
    void run.server.stop(TIMES)
    await run.hasExited()
    await run.system.advance(999)
    expect(isAlive(run.stray)).toBe(true)
    await run.system.advance(1)
    await until(() => !isAlive(run.stray))
    expect(await run.server.ended).toEqual({ kind: 'exited', exitCode: 0 })
  },
)

test.runIf(process.platform === 'linux')(
  '[PROC.10] ends a process that a server leaves behind also if it is stopped, and waits no longer then',
  async () => {
    const run = await shell('setsid sh -c "echo \\$\\$.; exec env -i sleep 60" & exec cat')
    // Without a mark, it is found only while its parent lives.
    await until(() => readFileSync(`/proc/${run.stray}/environ`, 'latin1') === '')
    process.kill(run.stray, 'SIGSTOP')
    void run.server.stop(TIMES)
    await run.hasExited()
    await until(() => !isAlive(run.stray))
    await run.system.advance(100)
    expect(await run.server.ended).toEqual({ kind: 'exited', exitCode: 0 })
  },
)

test.runIf(process.platform === 'linux')(
  '[PROC.10] sends each signal to the group and to processes that left it',
  async () => {
    // It has lost its mark too.
    const stray = `setsid sh -c 'echo "$$ "; exec env -i sleep 60'`
    const run = await shell(`${stray} & trap "" TERM; echo .; wait; sleep 60`)
    const stopped = run.server.stop(TIMES)
    await run.system.advance(999)
    expect([isAlive(run.main), isAlive(run.stray)]).toEqual([true, true])
    await run.system.advance(1)
    await until(() => !isAlive(run.stray))
    await run.system.advance(1_999)
    expect(isAlive(run.main)).toBe(true)
    await run.system.advance(1)
    let end: unknown
    void run.server.ended.then((ended) => {
      end = ended
    })
    // A killed process may still be listed when the shell has ended. Then its end is checked again later.
    await until(async () => {
      await run.system.advance(100)
      return end !== undefined
    })
    expect(end).toEqual({ kind: 'killed', signal: 'SIGKILL' })
    await stopped
  },
)
