import { expect, test } from 'vitest'
import { ANNOUNCE_MS, Announcements } from '../../src/servers/announcements.ts'
import { FakeSystem } from '../support/fake-system.ts'

function setUp() {
  const system = new FakeSystem()
  const passed: string[] = []
  const announcements = new Announcements(system, ({ raw }) => passed.push(String(raw)))
  const says = (method: string, params = '') =>
    announcements.take({ method, id: undefined, params: undefined, raw: Buffer.from(method + params) })
  return { system, passed, announcements, says }
}

const TOOLS = 'notifications/tools/list_changed'
const PROMPTS = 'notifications/prompts/list_changed'

test('[TOOLS.9] passes the first announcement at once, and those of a second as one', async () => {
  const { system, passed, says } = setUp()
  for (let n = 0; n < 100; n++) for (const method of [TOOLS, PROMPTS]) says(method)
  expect(passed).toEqual([TOOLS, PROMPTS])
  await system.advance(ANNOUNCE_MS)
  expect(passed).toEqual([TOOLS, PROMPTS, TOOLS, PROMPTS])
  says(TOOLS)
  expect(passed).toHaveLength(4)
  await system.advance(ANNOUNCE_MS)
  expect(passed.slice(4)).toEqual([TOOLS])
  await system.advance(ANNOUNCE_MS)
  says(TOOLS)
  expect(passed.slice(5)).toEqual([TOOLS])
})

test('[TOOLS.9] holds back only equal announcements, and no other message', () => {
  const { passed, says } = setUp()
  for (let n = 0; n < 2; n++) {
    for (const params of ['1', '2']) says(TOOLS, params)
    says('notifications/resources/updated')
    says(`x/${TOOLS}`)
    says(`${TOOLS}/x`)
  }
  expect(passed).toHaveLength(8)
})

test('[TOOLS.9] remembers 64 short announcements, and passes all others', () => {
  const { passed, says } = setUp()
  const twice = (params: string): void => {
    for (let time = 0; time < 2; time++) says(TOOLS, params)
  }
  twice('x'.repeat(4_097 - TOOLS.length))
  expect(passed).toHaveLength(2)
  twice('x'.repeat(4_096 - TOOLS.length))
  for (let n = 0; n < 64; n++) twice(String(n))
  expect(passed).toHaveLength(2 + 66)
})

test('[TOOLS.9] passes nothing more after the end of the server', async () => {
  const { system, passed, announcements, says } = setUp()
  says(TOOLS)
  says(TOOLS)
  announcements.end()
  await system.advance(ANNOUNCE_MS)
  expect(passed).toEqual([TOOLS])
})
