import { dirname, join } from 'node:path'
import { Program, repository } from '../../support/program.ts'
import { scratch } from '../../support/scratch.ts'
import type { ClientKind, InteropClient, Target } from './client.ts'

/**
 * The script of Inspector's command. The default is version 1, which is deprecated but small: version 2 would
 * add 55 MB to each set-up. CONTRIBUTING.md says how to run these tests with version 2.
 */
const { INSPECTOR = join(repository, 'node_modules/@modelcontextprotocol/inspector-cli/build/cli.js') } =
  process.env

export const INSPECTOR_CLI: ClientKind = { name: '@modelcontextprotocol/inspector-cli 1.0.3', connect }

/** Inspector's command line, which makes one request and ends. */
async function connect({ url, token }: Target): Promise<InteropClient> {
  const home = scratch()
  const run = (method: string, args: readonly string[]) => {
    // Without it, any path but /mcp would mean SSE.
    const target = ['--transport', 'http', '--header', `Authorization: Bearer ${token}`]
    const command = [INSPECTOR, '--cli', url, ...target, '--method', method, ...args]
    // Version 1 looks for its package.json in the current folder.
    return new Program(process.execPath, command, { HOME: home }, dirname(INSPECTOR))
  }
  const request = (method: string, ...args: string[]) => answerOf(run(method, args))
  return {
    leavesSilently: true,
    tools: async () => namesIn((await request('tools/list')).tools, 'name'),
    call(tool, args, signal) {
      const given = Object.entries(args).flatMap(([name, value]) => ['--tool-arg', `${name}=${value}`])
      const program = run('tools/call', ['--tool-name', tool, ...given])
      signal?.addEventListener('abort', () => program.signal('SIGINT'))
      return answerOf(program)
    },
    prompts: async () => namesIn((await request('prompts/list')).prompts, 'name'),
    prompt: (name) => request('prompts/get', '--prompt-name', name),
    resources: async () => namesIn((await request('resources/list')).resources, 'uri'),
    read: (uri) => request('resources/read', '--uri', uri),
  }
}

// biome-ignore lint/suspicious/noExplicitAny: an answer under test has any shape
async function answerOf(program: Program): Promise<any> {
  const { code, stdout, stderr } = await program.ended
  if (code !== 0) throw new Error(`Inspector ended with ${code}:\n${stdout}${stderr}`)
  return JSON.parse(stdout)
}

function namesIn(list: readonly Readonly<Record<string, string>>[], member: string): readonly string[] {
  return list.map((item) => String(item[member]))
}
