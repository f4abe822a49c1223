import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { Program, repository } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'
import { startCancellable } from './cancellable.ts'

/**
 * The script of Inspector's command. The default is version 1, which is deprecated but small: version 2 would
 * add 55 MB to each set-up. CONTRIBUTING.md says how to run this test with version 2.
 */
const { INSPECTOR = join(repository, 'node_modules/@modelcontextprotocol/inspector-cli/build/cli.js') } =
  process.env

test('[MCP.17] the Inspector CLI lists tools and calls one, and SIGINT during a call reaches the local server', async () => {
  const at = await startCancellable()
  const home = scratch()
  const inspector = (...args: string[]) => {
    const target = [`${at.bridge.url}/mcp`, '--header', `Authorization: Bearer ${at.token}`]
    // Version 1 looks for its package.json in the current folder.
    return new Program(
      process.execPath,
      [INSPECTOR, '--cli', ...target, ...args],
      { HOME: home },
      dirname(INSPECTOR),
    )
  }
  const listed = await inspector('--method', 'tools/list').ended
  expect(listed.code, listed.stderr).toBe(0)
  expect(JSON.parse(listed.stdout)).toMatchObject({
    tools: [{ name: 'local__echo' }, { name: 'local__hang' }],
  })

  const call = ['--method', 'tools/call', '--tool-name']
  const called = await inspector(...call, 'local__echo', '--tool-arg', 'message=hello, ü').ended
  expect(called.code, called.stderr).toBe(0)
  expect(JSON.parse(called.stdout)).toMatchObject({ content: [{ type: 'text', text: 'hello, ü' }] })

  const hanging = inspector(...call, 'local__hang', '--tool-arg', 'message=interrupted')
  await at.called('interrupted')
  hanging.signal('SIGINT')
  await at.cancelled('interrupted')
})
