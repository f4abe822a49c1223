import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Program } from '../../../test/support/program.ts'
import { scratch } from '../../../test/support/scratch.ts'
import { withLock } from '../src/keychain/file-lock.ts'
import { realSystem } from '../src/system.ts'

const FIXTURE = join(import.meta.dirname, 'fixtures/file-lock.ts')
const ROUNDS = 12

test('[KEYCHAIN.5] [KEYCHAIN.6] gives the lock of a killed process to one of two waiting processes at a time', async () => {
  const folder = scratch()
  const marker = join(folder, 'marker')
  const start = (turns: number) =>
    new Program(process.execPath, [FIXTURE, join(folder, 'lock'), marker, String(turns)])
  for (let round = 0; round < ROUNDS; round++) {
    const holder = start(0)
    await holder.printed((text) => text.includes('held') || undefined)
    const waiting = [start(20), start(20)]
    await Promise.all(
      waiting.map((program) => program.printed((text) => text.includes('started') || undefined)),
    )
    // The killed process cannot do it.
    rmSync(marker)
    holder.signal('SIGKILL')
    await holder.ended
    const ended = await Promise.all(waiting.map(({ ended }) => ended))
    expect(ended.map(({ stdout, stderr }) => stdout + stderr)).toEqual(['started\ndone\n', 'started\ndone\n'])
  }
})

test('[KEYCHAIN.5] serializes two changes in one process', async () => {
  const path = join(scratch(), 'lock')
  const order: string[] = []
  const first = Promise.withResolvers<void>()
  const changes = [
    withLock(realSystem, path, async () => {
      await first.promise
      order.push('first')
    }),
    withLock(realSystem, path, async () => order.push('second')),
  ]
  setImmediate(first.resolve)
  await Promise.all(changes)
  expect(order).toEqual(['first', 'second'])
})
