import { repairedJson, strictDefinition, type ToolDefinition, toJson } from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const SCHEMA = { type: 'object' }
const repaired = (members: Record<string, unknown>) =>
  strictDefinition({ name: 't', inputSchema: SCHEMA, ...members } as ToolDefinition)

test('[MCP.9] returns an ordinary definition as the same object', () => {
  const tool = {
    name: 't',
    title: 'T',
    description: 'd',
    inputSchema: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'], $defs: {} },
    outputSchema: SCHEMA,
    annotations: { readOnlyHint: true, title: 'x', other: 1 },
    execution: { taskSupport: 'optional' },
    icons: [{ src: 'https://a/b.png', mimeType: 'image/png', sizes: ['48x48'], theme: 'dark' }],
    'x-vendor': null,
  }
  const strict = strictDefinition(tool)
  expect(strict).toEqual({ definition: tool, changed: [] })
  expect(strict?.definition).toBe(tool)
})

test.each<[Record<string, unknown>, Record<string, unknown>]>([
  [{ inputSchema: {} }, { inputSchema: SCHEMA }],
  [{ inputSchema: { type: null } }, { inputSchema: SCHEMA }],
  [{ inputSchema: { anyOf: [{}] } }, { inputSchema: { anyOf: [{}], type: 'object' } }],
  [{ inputSchema: { type: ['object', 'null'] } }, { inputSchema: SCHEMA }],
  [{ inputSchema: { type: 'object', required: null } }, { inputSchema: SCHEMA }],
  [{ inputSchema: { type: 'object', required: [1] } }, { inputSchema: SCHEMA }],
  [{ inputSchema: { type: 'object', required: true } }, { inputSchema: SCHEMA }],
  [{ inputSchema: { type: 'object', properties: null } }, { inputSchema: SCHEMA }],
  [
    { inputSchema: { type: 'object', properties: { a: true, b: false, c: null, d: {} } } },
    { inputSchema: { type: 'object', properties: { a: {}, b: { not: {} }, c: {}, d: {} } } },
  ],
  [{ title: null }, {}],
  [{ description: null }, {}],
  [{ description: 5 }, {}],
  [{ outputSchema: null }, {}],
  [{ outputSchema: { type: 'array' } }, {}],
  [{ outputSchema: { properties: {} } }, { outputSchema: { properties: {}, type: 'object' } }],
  [{ annotations: null }, {}],
  [
    { annotations: { readOnlyHint: 'yes', destructiveHint: false } },
    { annotations: { destructiveHint: false } },
  ],
  [{ execution: null }, {}],
  [{ execution: { taskSupport: 'sometimes' } }, { execution: {} }],
  [{ icons: null }, {}],
  [{ icons: [{ src: 1 }] }, {}],
  [{ icons: [{ src: 'a', sizes: '48x48' }] }, {}],
])('[MCP.9] repairs %j', (odd, expected) => {
  const strict = repaired(odd)
  expect(strict?.definition).toEqual({ name: 't', inputSchema: SCHEMA, ...expected })
  expect(strict?.changed).toEqual(Object.keys(odd))
  const tool = { name: 't', inputSchema: SCHEMA, ...odd }
  expect(JSON.parse(String(repairedJson(toJson(tool), tool, strict?.definition)))).toEqual(strict?.definition)
})

test.each(['string', 'array', ['null'], 5])('[MCP.9] gives up a tool with arguments of type %j', (type) => {
  expect(repaired({ inputSchema: { type } })).toBeUndefined()
})

test('[MCP.9] repairs any definition so that it needs no further repair', () => {
  const any = fc.jsonValue({ maxDepth: 2 })
  const schema = fc.oneof(
    any,
    fc.record({ type: any, properties: any, required: any }, { requiredKeys: [] }),
    fc.record({ properties: any, required: any }, { requiredKeys: [] }),
  )
  const tool = fc.record(
    {
      name: fc.string(),
      inputSchema: schema,
      outputSchema: schema,
      description: any,
      annotations: fc.oneof(any, fc.record({ readOnlyHint: any, title: any })),
      execution: fc.oneof(any, fc.record({ taskSupport: any })),
      icons: fc.oneof(any, fc.array(fc.record({ src: any, sizes: any }))),
    },
    { requiredKeys: ['name', 'inputSchema'] },
  )
  let count = 0
  fc.assert(
    fc.property(tool, (odd) => {
      const strict = strictDefinition(odd as ToolDefinition)
      if (strict === undefined) return
      count++
      expect(strictDefinition(strict.definition)).toEqual({ definition: strict.definition, changed: [] })
    }),
  )
  expect(count).toBeGreaterThan(10)
})
