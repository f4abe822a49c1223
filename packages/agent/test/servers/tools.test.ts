import { hash } from 'node:crypto'
import { canonicalJson, limits } from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { definitionHash } from '../../src/servers/definition-hash.ts'
import type { RawOutcome } from '../../src/servers/raw-calls.ts'
import { listTools, MAX_LIST_BYTES, MAX_PAGES, repairedTools } from '../../src/servers/tools.ts'

const tool = (name: string) => ({ name, inputSchema: {} })
const hashOf = (definition: object) => definitionHash(Buffer.from(JSON.stringify(definition)))
const result = (value: object): RawOutcome => ({ kind: 'result', result: Buffer.from(JSON.stringify(value)) })

/** Lists pages by their cursor; a page given as text is the server's raw answer. */
async function listed(pages: readonly (object | RawOutcome)[]) {
  const asked: string[] = []
  const list = await listTools(async (params) => {
    asked.push(JSON.stringify(params))
    const page = pages[asked.length - 1] ?? {}
    return 'kind' in page ? (page as RawOutcome) : result(page)
  })
  return { list, asked }
}

test('[TOOLS.4] requests every page by the cursor of the one before, in order', async () => {
  const { list, asked } = await listed([
    { tools: [tool('a')], nextCursor: '1' },
    { tools: [tool('b')], nextCursor: '2' },
    { tools: [tool('c'), {}] },
  ])
  expect(asked).toEqual(['{}', '{"cursor":"1"}', '{"cursor":"2"}'])
  if (!list.ok) throw new Error(list.reason)
  expect([list.tools.map(({ name }) => name), list.leftOut]).toEqual([
    ['a', 'b', 'c'],
    [{ name: '', reason: 'left out, because its name or its schema is missing or invalid' }],
  ])
  expect(list.tools[0]?.hash).toBe(hashOf(tool('a')))
})

test('[TOOLS.6] reads 1,024 pages, and fails at one more', async () => {
  const page = (n: number, last: number) => ({
    tools: [tool(`t${n}`)],
    ...(n < last && { nextCursor: `${n}` }),
  })
  const pages = (count: number) => Array.from({ length: count }, (_, n) => page(n, count - 1))
  expect(await listed(pages(MAX_PAGES))).toMatchObject({ list: { ok: true, tools: { length: 1_024 } } })
  const { list, asked } = await listed(pages(MAX_PAGES + 1))
  expect(list).toEqual({ ok: false, reason: 'its list of tools has more than 1024 pages' })
  expect(asked).toHaveLength(1_024)
})

test('[TOOLS.6] lists up to the allowed number of tools, on one page or two, and fails at one more', async () => {
  const tools = (count: number) => Array.from({ length: count }, (_, n) => tool(`t${n}`))
  const max = limits.toolsPerServer
  expect((await listed([{ tools: tools(max) }])).list).toMatchObject({ ok: true, tools: { length: max } })
  const tooMany = { ok: false, reason: `it lists more than ${max} tools` }
  expect((await listed([{ tools: tools(max + 1) }])).list).toEqual(tooMany)
  expect((await listed([{ tools: tools(max), nextCursor: 'n' }, { tools: [tool('x')] }])).list).toEqual(
    tooMany,
  )
  expect((await listed([{ tools: tools(max), nextCursor: 'n' }, { tools: [{}] }])).list).toMatchObject({
    ok: true,
    leftOut: { length: 1 },
  })
})

test.each<[string, object | RawOutcome, string]>([
  [
    'an error',
    { kind: 'rpc-error', rpcError: Buffer.from('{}'), message: 'no\u0007' },
    'it did not list its tools: no\u0007',
  ],
  [
    'an unfit answer',
    { kind: 'invalid', code: 'result_invalid', detail: 'it is bad', text: Buffer.alloc(0) },
    'it did not list its tools: it is bad',
  ],
  ['its end', { kind: 'ended' }, 'it did not list its tools'],
  ['no list', { tools: {} }, 'its list of tools cannot be read'],
  ['a list that is text', { tools: 'a' }, 'its list of tools cannot be read'],
])('[TOOLS.6] fails a list with the reason: %s', async (_what, page, reason) => {
  const isRefused = 'kind' in page && page.kind === 'rpc-error' ? true : undefined
  expect((await listed([page])).list).toEqual({ ok: false, reason, isRefused })
})

test.each([{ tools: null }, {}])('[TOOLS.6] reads a list without tools as empty: %j', async (page) => {
  expect((await listed([page])).list).toEqual({ ok: true, tools: [], leftOut: [] })
})

test('[TOOLS.3] [TOOLS.8] skips and counts invalid definitions and those that would be refused, and keeps the rest', async () => {
  const nested = JSON.parse(`${'{"a":'.repeat(1_100)}1${'}'.repeat(1_100)}`)
  const bottomless = `{"name":"bottomless","inputSchema":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`
  const polluting = '{"name":"p","inputSchema":{"__proto__":{}}}'
  const others = [{ ...tool('deep'), x: nested }, tool(''), { name: 'b' }, tool('x'.repeat(200)), 7]
  const twoNames = '{"name":"first","inputSchema":{},"name":"second"}'
  const tools = [tool('a'), ...others].map((value) => JSON.stringify(value))
  const text = Buffer.from(
    `{"id":1,"result":{"tools":[${[...tools, bottomless, polluting, twoNames].join(',')}]}}`,
  )
  const { list } = await listed([{ kind: 'invalid', code: 'result_invalid', detail: 'd', text }])
  if (!list.ok) throw new Error(list.reason)
  expect([list.tools.map(({ name }) => name), list.leftOut.length]).toEqual([['a', 'p'], 7])
  for (const noList of ['[1]', '{"result":[NaN]}', '{"result":NaN}']) {
    const answer = {
      kind: 'invalid',
      code: 'result_invalid',
      detail: 'd',
      text: Buffer.from(noList),
    } as const
    expect((await listed([answer])).list).toMatchObject({ ok: false })
  }
})

test('[TOOLS.10] ends a list at a cursor that the server refuses, and says so', async () => {
  const refusal = { kind: 'rpc-error', rpcError: Buffer.from('{}'), message: 'bad cursor' } as const
  const { list } = await listed([{ tools: [tool('a')], nextCursor: '1' }, refusal])
  expect(list).toMatchObject({
    ok: true,
    tools: { length: 1 },
    leftOut: [{ name: '', reason: 'left out, because the server refused its own cursor: bad cursor' }],
  })
  const { list: cut } = await listed([{ tools: [tool('a')], nextCursor: '1' }, { kind: 'ended' }])
  expect(cut).toMatchObject({ ok: false })
})

test('[TOOLS.2] hashes a definition independently of the order of its members', () => {
  expect(hashOf({ name: 'a', inputSchema: { x: 1, y: [2, 'é'] } })).toBe(
    hashOf({ inputSchema: { y: [2, 'é'], x: 1 }, name: 'a' }),
  )
  expect(hashOf(tool('a'))).not.toBe(hashOf(tool('b')))
  const written = '{ "n\\u0061me" : "\\u0061", "inputSchema":\t{} }'
  expect(definitionHash(Buffer.from(written))).toBe(hashOf(tool('a')))
})

test('[TOOLS.2] hashes as the canonical JSON of any value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const json = JSON.stringify(value)
      const expected = hash('sha256', canonicalJson(JSON.parse(json)))
      expect(definitionHash(Buffer.from(json))).toBe(expected)
    }),
  )
})

test('[TOOLS.2] distinguishes definitions whose numbers JavaScript rounds to the same', () => {
  const hashes = ['12345678901234567890', '12345678901234567891', '1e400', '2e400', '1', '1.0'].map(
    (number) => definitionHash(Buffer.from(`{"name":"a","inputSchema":{"maximum":${number}}}`)),
  )
  expect(new Set(hashes).size).toBe(hashes.length)
})

test('[TOOLS.2] keeps every byte of a definition', async () => {
  const odd = '{"inputSchema":{"maximum":1e400, "x":12345678901234567890},"a":1.0,"name":"\\u0061","a":[ ]}'
  const text = Buffer.from(`{"tools":[${odd}]}`)
  const { list } = await listed([{ kind: 'result', result: text }])
  expect(list).toMatchObject({ ok: true, tools: [{ name: 'a', definition: odd }] })
})

test('[TOOLS.10] ends a list at a cursor that is empty, not a string or repeated, and counts repeated tools once', async () => {
  for (const nextCursor of ['', null, 5, {}]) {
    const { list, asked } = await listed([{ tools: [tool('a')], nextCursor }])
    expect(list).toMatchObject({ ok: true, tools: { length: 1 } })
    expect(asked).toHaveLength(1)
  }
  const page = (name: string, nextCursor: string) => ({ tools: [tool(name)], nextCursor })
  const { list, asked } = await listed([page('a', 'x'), page('b', 'y'), page('a', 'x')])
  expect(list).toMatchObject({ ok: true, tools: { length: 2 } })
  expect(asked).toHaveLength(3)
})

test('[TOOLS.11] leaves out a tool that runs only as a task', async () => {
  const withExecution = (name: string, execution: unknown) => ({ ...tool(name), execution })
  const { list } = await listed([
    {
      tools: [
        withExecution('a', { taskSupport: 'required' }),
        withExecution('b', { taskSupport: 'optional' }),
        withExecution('c', 'required'),
      ],
    },
  ])
  const reason = 'left out, because it runs only as a task, which the bridge does not support yet'
  expect(list).toMatchObject({ tools: [{ name: 'b' }, { name: 'c' }], leftOut: [{ name: 'a', reason }] })
})

test('[TOOLS.8] leaves out a definition that does not fit into a message, with the reason', async () => {
  const sized = (name: string, chars: number) => ({ ...tool(name), description: 'x'.repeat(chars) })
  const { list } = await listed([{ tools: [sized('a', 1_044_000), sized('b', 1_044_480)] }])
  const reason = 'left out, because its definition is too large or nested too deep'
  expect(list).toMatchObject({ tools: [{ name: 'a' }], leftOut: [{ name: 'b', reason }] })
})

test('[TOOLS.6] reads 8 MiB of a list, over all its pages, and fails at one byte more', async () => {
  const sized = (bytes: number, nextCursor?: string) => {
    const head = `{"tools":[],${nextCursor === undefined ? '' : `"nextCursor":"${nextCursor}",`}"x":"`
    return { kind: 'result', result: Buffer.from(`${head.padEnd(bytes - 2, 'x')}"}`) } as const
  }
  const first = sized(MAX_LIST_BYTES - 100, 'n')
  expect((await listed([first, sized(100)])).list).toMatchObject({ ok: true })
  const reason = 'its list of tools has more than 8388608 bytes'
  expect((await listed([first, sized(101)])).list).toEqual({ ok: false, reason })
  const broken = { kind: 'invalid', code: 'result_invalid', detail: 'd' } as const
  expect((await listed([{ ...broken, text: Buffer.alloc(MAX_LIST_BYTES + 1) }])).list).toEqual({
    ...{ ok: false, reason },
  })
})

test('[TOOLS.3] reads numbers that JSON does not have as null, outside of strings', async () => {
  const definition = (a: string, b: string, c: string) =>
    `{"name":"a","inputSchema":{"d":"NaN \\" -Infinity","x":"\\\\","a":${a},"b":${b},"c":${c}}}`
  const text = Buffer.from(`{"result":{"tools":[${definition('NaN', 'Infinity', '-Infinity')}]}}`)
  const { list } = await listed([{ kind: 'invalid', code: 'result_invalid', detail: 'd', text }])
  expect(list).toMatchObject({ tools: [{ definition: definition('null', 'null', 'null') }] })
})

test('[TOOLS.3] names tools that the list of all servers shows with changes, or not at all', () => {
  const listedTool = (definition: { readonly name: string }) => ({
    ...{ hash: '', name: definition.name, definition: JSON.stringify(definition) },
  })
  const inputSchema = { type: 'object' }
  const tools = [
    { name: 'plain', inputSchema },
    { name: 'odd', inputSchema, title: 5, description: [] },
    { name: 'text', inputSchema: { type: 'string' } },
  ]
  expect(repairedTools(tools.map(listedTool))).toEqual([
    { name: 'odd', reason: 'repaired on /mcp, because strict clients refuse its title, description' },
    { name: 'text', reason: 'left out of /mcp, because its input schema is not that of an object' },
  ])
})
