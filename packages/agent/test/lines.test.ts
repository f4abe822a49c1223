import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { LineSplitter } from '../src/servers/lines.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function usedBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test('[STDIO.9] holds little more memory than the length of a line that arrives in a million single bytes', () => {
  const lines = new LineSplitter(4 * 1_048_576)
  const before = usedBytes()
  for (let n = 0; n < 1_000_000; n++) lines.push(Buffer.alloc(1, 'x'))
  expect(usedBytes() - before).toBeLessThan(40_000_000)
  expect(lines.push(Buffer.from('\n')).map(({ length }) => length)).toEqual([1_000_000])
})
