import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { missingDebianCommand } from '../../../scripts/debian.ts'
import { COMPILE_CACHE } from '../../../test/support/compile-cache.ts'
import { scratch } from '../../../test/support/scratch.ts'
import { fixturePath } from './support/local.ts'
import { isAlive, until } from './support/until.ts'

const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8')

test('[PROC.12] ends Chromium within 5 seconds of a killed agent, its server stopped', async () => {
  const missing = missingDebianCommand('chromium', 'chromium')
  if (missing !== undefined) throw new Error(missing)
  const agent = spawn(process.execPath, [fixturePath('agent'), 'browser', scratch()], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...COMPILE_CACHE, PATH: process.env.PATH, HOME: scratch() },
  })
  onTestFinished(() => void agent.kill('SIGKILL'))
  let output = ''
  agent.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8')
  })
  const pids = await until(() => output.endsWith('\n') && (JSON.parse(output) as number[]), 60_000)
  const browsers = pids.filter((pid) => commandOf(pid).includes('chromium'))
  expect(browsers.length).toBeGreaterThan(2)
  const server = pids.find((pid) => commandOf(pid).includes('fixtures/browser.ts')) ?? 0
  process.kill(server, 'SIGSTOP')
  agent.kill('SIGKILL')
  await until(() => !pids.some(isAlive), 5_000)
}, 90_000)
