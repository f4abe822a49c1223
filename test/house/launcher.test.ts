import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { plant, runNode, transplant } from './planted.ts'

// Stands in for the command: prints its process id, then follows its arguments, or ends with its parent.
const MAIN = `
import { Socket } from 'node:net'
const [order, value = ''] = process.argv.slice(2)
if (order === 'trap') process.on(value as NodeJS.Signals, () => process.exit(9))
console.log(JSON.stringify({ pid: process.pid, node: process.versions.node, args: process.argv.slice(2) }))
if (order === 'exit') process.exit(Number(value))
if (order === 'die') process.kill(process.pid, value)
if (order === 'echo') process.stdin.pipe(process.stdout)
else setTimeout(() => {}, 60_000)
const parentFd = process.env.BRIDGEKEEPER_PARENT_FD
if (parentFd !== undefined) new Socket({ fd: Number(parentFd) }).on('close', () => process.exit(0)).resume()
`
const PRETEND_OLD = `--import=data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.0.0'}})`

interface Greeting {
  readonly pid: number
  readonly node: string
  readonly args: string[]
}

/** A tree with the launcher in it and the Node 24 that npm would have installed. Returns the launcher's path. */
function plantLauncher(): string {
  const root = plant({ 'packages/cli/src/main.ts': MAIN })
  transplant(root, 'packages/cli/bin')
  const node24 = join(root, 'node_modules', `node-${process.platform}-${process.arch}`)
  mkdirSync(join(node24, 'bin'), { recursive: true })
  writeFileSync(join(node24, 'package.json'), '{}')
  symlinkSync(process.execPath, join(node24, 'bin/node'))
  return join(root, 'packages/cli/bin/bridgekeeper.mjs')
}

/** Starts a command that runs the launcher, and reads the real command's report. */
async function start(
  command: string,
  args: string[],
  npmCommand?: string,
): Promise<[ChildProcess, Greeting]> {
  const env = { ...process.env, npm_command: npmCommand }
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env })
  const [line] = await once(createInterface(child.stdout), 'line')
  const greeting: Greeting = JSON.parse(line)
  onTestFinished(() => {
    child.kill('SIGKILL')
    if (alive(greeting.pid)) process.kill(greeting.pid, 'SIGKILL')
  })
  return [child, greeting]
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Resolves once nothing holds the output: the process and everything it left behind have ended. */
async function allEnded(child: ChildProcess): Promise<unknown[]> {
  return await once(child, 'close')
}

describe.skipIf(process.platform === 'win32').each([
  ['an older Node', [PRETEND_OLD]],
  ['a Node that runs TypeScript', []],
])('under %s', (_, nodeArgs) => {
  test('[HOUSE.5] passes on arguments and the exit code', async () => {
    const { code, stdout } = await runNode([...nodeArgs, plantLauncher(), 'exit', '7', '--flag', 'two words'])
    expect(code).toBe(7)
    expect(JSON.parse(stdout)).toMatchObject({
      node: process.versions.node,
      args: ['exit', '7', '--flag', 'two words'],
    })
  })

  test('[HOUSE.5] passes on input and output', async () => {
    const [launcher] = await start(process.execPath, [...nodeArgs, plantLauncher(), 'echo'])
    launcher.stdin?.end('hello\n')
    const [chunk] = await once(launcher.stdout ?? launcher, 'data')
    expect(String(chunk)).toBe('hello\n')
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '[HOUSE.5] forwards %s to the command',
    async (signal) => {
      const [launcher] = await start(process.execPath, [...nodeArgs, plantLauncher(), 'trap', signal])
      launcher.kill(signal)
      expect(await allEnded(launcher)).toEqual([9, null])
    },
  )

  test('[HOUSE.5] ends the launcher by the signal that ended the command', async () => {
    const [launcher] = await start(process.execPath, [...nodeArgs, plantLauncher(), 'die', 'SIGTERM'])
    expect(await allEnded(launcher)).toEqual([null, 'SIGTERM'])
  })

  test('[HOUSE.6] ends every process when the launcher is killed', async () => {
    const [launcher] = await start(process.execPath, [...nodeArgs, plantLauncher(), 'wait'])
    launcher.kill('SIGKILL')
    await allEnded(launcher)
  })

  // npm's shell becomes the command on some systems and stays in between on others.
  test.each([
    ['', 'exec'],
    ['exec', 'exec'],
    ['exec', 'start'],
  ])('[HOUSE.7] ends every process when npm is killed (sh -c "%s …", npm %s)', async (exec, npmCommand) => {
    const [npm] = await start(process.execPath, pretendNpm(nodeArgs, exec), npmCommand)
    npm.kill('SIGKILL')
    await allEnded(npm)
  })

  test('[HOUSE.7] without npm, the launcher outlives its parent, as under nohup', async () => {
    const [parent, { pid }] = await start(process.execPath, pretendNpm(nodeArgs, 'exec'))
    parent.kill('SIGKILL')
    await sleep(2_500)
    expect(alive(pid)).toBe(true)
  })
})

/** Acts like npm: runs the command in a shell and waits. */
function pretendNpm(nodeArgs: string[], exec: string): string[] {
  const command = [process.execPath, ...nodeArgs, plantLauncher(), 'wait'].map((arg) => `"${arg}"`).join(' ')
  const script = `${exec} ${command}${exec === '' ? '; true' : ''}`
  const spawnShell = `require('child_process').spawn('sh', ['-c', process.argv[1]], { stdio: ['inherit', 'inherit', 'ignore'] })`
  return ['--eval', spawnShell, '--', script]
}

test('[HOUSE.5] names what to install without a suitable Node', async () => {
  const root = plant({})
  transplant(root, 'packages/cli/bin')
  const { code, stderr } = await runNode([
    PRETEND_OLD,
    join(root, 'packages/cli/bin/bridgekeeper.mjs'),
    'exit',
    '0',
  ])
  expect(code).toBe(1)
  expect(stderr).toContain('install Node.js 24')
})
