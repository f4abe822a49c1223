import { spawn } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { call, verify, writtenLog } from './support/logs.ts'

test('[LOG.9] verifies and continues after each of 60 random kills', {
  timeout: 600_000,
}, async () => {
  const cache = scratch()
  await Promise.all(Array.from({ length: 2 }, () => killedOften(30, cache)))
})

async function killedOften(times: number, cache: string): Promise<void> {
  const folder = scratch()
  let lastSeq = 0
  for (let run = 0; run < times; run++) {
    await killedLogger(folder, 5 + Math.random() * 20, cache)
    const found = verify(folder)
    expect(found).toMatchObject({ intact: true, problems: [] })
    expect(found.lastSeq).toBeGreaterThan(lastSeq)
    await writtenLog([call('again')], { folder })
    const { lastSeq: afterwards, ...again } = verify(folder)
    expect(again).toMatchObject({ intact: true, tornBytes: 0, anchoredSeq: afterwards })
    lastSeq = afterwards
    // Old files may go, and the time that verifying takes stays the same.
    for (const name of readdirSync(folder)) if (/^security-/.test(name)) rmSync(join(folder, name))
  }
}

/** @param cache where the compiled code of the logger is kept, so that it is not compiled for each kill */
async function killedLogger(folder: string, afterMs: number, cache: string): Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'fixtures/logger.ts'), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), afterMs))
  await ended
}
