import { serverBytes } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { catalogTool, readyServer } from '../../../../test/support/catalog.ts'
import { CatalogBudget } from '../../src/servers/catalog-budget.ts'

const MAX_BYTES = 7 * 1_048_576
const MAX_HEAD_BYTES = 262_144

/** A server whose entry has exactly this size. */
function sized(name: string, bytes: number) {
  const made = (description: string) => readyServer(name, [catalogTool({ name: 't', description })])
  return made('x'.repeat(bytes - serverBytes(made(''))))
}

test('[TOOLS.12] gives servers 7 MiB in all, and refuses one byte more with the sizes', () => {
  const budget = new CatalogBudget()
  const [one, other] = [sized('a', MAX_BYTES - 2_000), sized('b', 2_000)]
  expect([budget.take(one), budget.take(other)]).toEqual([undefined, undefined])
  const small = sized('c', 300)
  expect(budget.take(small)).toBe(
    `It is not listed: its tools take 300 bytes; with those of other servers that is over the limit of ${MAX_BYTES}. Disable a server, and start again.`,
  )
  // Another entry of a server replaces its first one.
  expect([budget.take(sized('b', 1_700)), budget.take(small)]).toEqual([undefined, undefined])
  expect(budget.take(sized('d', 300))).toContain('is over the limit')
  budget.free('b')
  expect(budget.take(sized('d', 1_700))).toBeUndefined()
})

test('[TOOLS.12] refuses a server whose info and instructions take more than 256 KiB', () => {
  const budget = new CatalogBudget()
  const tools = [catalogTool({ name: 't' })]
  const headBytes = serverBytes(readyServer('a', [], { instructions: '' }))
  const headed = (bytes: number) => readyServer('a', tools, { instructions: 'x'.repeat(bytes - headBytes) })
  expect(budget.take(headed(MAX_HEAD_BYTES))).toBeUndefined()
  expect(budget.take(headed(MAX_HEAD_BYTES + 1))).toBe(
    `It is not listed: its instructions and info take ${MAX_HEAD_BYTES + 1} bytes, over the limit of ${MAX_HEAD_BYTES}. Disable the server, or ask its authors to shorten them.`,
  )
})
