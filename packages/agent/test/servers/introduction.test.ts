import { expect, test } from 'vitest'
import { readDiscovery, readIntroduction } from '../../src/servers/introduction.ts'

const read = (json: string) => readIntroduction(Buffer.from(json))

test('[TOOLS.1] keeps what a server says of itself as it wrote it, in both eras', () => {
  const info = '{"version":"1", "build":12345678901234567890,"build":1.0,"name":"n"}'
  const capabilities = '{"tools":{"x":1e400},"prompts":{ }}'
  const introduction = {
    ...{ serverInfo: info, instructions: 'Be kind.', hasTools: true, capabilities },
  }
  const others = `"capabilities":${capabilities},"instructions":"Be k\\u0069nd."`
  expect(read(`{"serverInfo":${info},${others}}`)).toEqual(introduction)
  const meta = `"_meta":{"io.modelcontextprotocol/serverInfo":${info}}`
  expect(readDiscovery(Buffer.from(`{${others},${meta}}`))).toEqual(introduction)
  // Drafts of the 2026 revision have it outside of `_meta`.
  expect(readDiscovery(Buffer.from(`{${others},"serverInfo":${info}}`))).toEqual(introduction)
})

test.each([
  ['{}', '{"name":"","version":""}'],
  ['{"serverInfo":[]}', '{"name":"","version":""}'],
  ['{"serverInfo":null}', '{"name":"","version":""}'],
  ['{"serverInfo":{"name":5,"x":1.0}}', '{"x":1.0,"name":"","version":""}'],
  ['{"serverInfo":{"version":"1","name":"a","name":"b"}}', '{"name":"","version":"1"}'],
  [
    `{"serverInfo":{"name":"n","version":"1","x":${'['.repeat(1_000)}${']'.repeat(1_000)}}}`,
    '{"name":"n","version":"1"}',
  ],
])('[TOOLS.1] gives a server without a readable name or version an empty one: %#', (json, serverInfo) => {
  expect(read(json).serverInfo).toBe(serverInfo)
})

test.each([
  ['{}', '{}', false],
  ['{"capabilities":null}', '{}', false],
  ['{"capabilities":{"tools":null}}', '{"tools":null}', false],
  [`{"capabilities":{"tools":{},"x":${'['.repeat(1_000)}${']'.repeat(1_000)}}}`, '{"tools":{}}', true],
  [`{"capabilities":{"x":${'['.repeat(1_000)}${']'.repeat(1_000)}}}`, '{}', false],
])('[TOOLS.1] keeps capabilities that the bridge reads: %#', (json, capabilities, hasTools) => {
  expect(read(json)).toMatchObject({ capabilities, hasTools })
})
