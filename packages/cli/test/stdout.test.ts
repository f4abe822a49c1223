import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'

/** Prints 100 MB, reports on standard error how much of it waits, then counts dropped events. */
const SCRIPT = `
const { printOrDrop } = await import(${JSON.stringify(new URL('../src/stdout.ts', import.meta.url).href)})
const said = (count) => 'dropped ' + count + '\\n'
for (let n = 0; n < 100_000; n++) printOrDrop('x'.repeat(999) + '\\n', said)
process.stderr.write(process.stdout.writableLength + '\\n')
const finish = () => {
  if (process.stdout.writableLength > 0) return process.stdout.once('drain', finish)
  printOrDrop('last\\n', said)
  process.stdin.destroy()
}
process.stdin.once('data', finish)
`

test('[CLI.23] drops and counts events while 1 MiB of them waits for a reader', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT])
  child.stdout.pause()
  const [waiting] = (await new Promise<Buffer>((resolve) => child.stderr.once('data', resolve)))
    .toString()
    .split('\n')
  expect(Number(waiting)).toBeLessThan(1_050_000)
  child.stdout.once('data', () => setImmediate(() => child.stdin.end('read')))
  const lines = (await text(child.stdout)).trimEnd().split('\n')
  const shown = lines.filter((line) => line.startsWith('x')).length
  expect(lines.slice(shown)).toEqual([`dropped ${100_000 - shown}`, 'last'])
})
