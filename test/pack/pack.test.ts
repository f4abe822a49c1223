import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { configFile, published } from '../support/agent-program.ts'
import { eventIn } from '../support/installation.ts'
import { Program, repository } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'
import { install, pack } from './installed.ts'

const APPS = join(import.meta.dirname, 'apps')
/** Node programs to test with, separated by `:`; by default the one that runs the tests. */
const NODES = (process.env.BRIDGEKEEPER_PACK_NODES ?? process.execPath).split(':')
/** An agent reads `sub` and `sid` of its token; the apps compare the whole. */
const CLAIMS = Buffer.from(JSON.stringify({ sub: 'ann', sid: 'ann-1' })).toString('base64url')
const AGENT_TOKEN = `header.${CLAIMS}.signature`

let folder: string

beforeAll(() => {
  const tarballs = scratch()
  pack(tarballs)
  folder = scratch()
  install(folder, tarballs, [
    'bridgekeeper',
    '@bridgekeeper/bridge',
    'express',
    'fastify',
    '@types/express',
    '@types/node',
  ])
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({
      private: true,
      type: 'module',
      dependencies: { '@bridgekeeper/bridge': '0.1.0', bridgekeeper: '0.1.0' },
    }),
  )
  for (const app of readdirSync(APPS)) copyFileSync(join(APPS, app), join(folder, app))
  mkdirSync(join(folder, 'out'))
})

test('[EMBED.9] declares and installs every dependency of the packages', () => {
  const { stdout } = spawnSync('npm', ['ls', '--omit=dev', '--all', '--json'], {
    cwd: folder,
    encoding: 'utf8',
  })
  const { problems = [] } = JSON.parse(stdout)
  // The apps' own packages are not declared in the folder, so npm calls them extraneous.
  expect(problems.filter((problem: string) => !problem.startsWith('extraneous'))).toEqual([])
})

test.each([
  ['with Express and Fastify', ['express.ts', 'fastify.ts']],
  // Without a library that loads Node's types, ours must.
  ['without other libraries', ['plain.ts']],
])('[EMBED.9] compiles apps in strict TypeScript %s against the types, which are checked too', (_, files) => {
  const config = {
    compilerOptions: {
      ...{ module: 'nodenext', target: 'es2023', strict: true, skipLibCheck: false, outDir: 'out' },
      exactOptionalPropertyTypes: true,
    },
    files,
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const compiler = join(repository, 'node_modules/typescript/bin/tsc')
  const { stdout } = spawnSync(process.execPath, [compiler, '-p', folder], { cwd: folder, encoding: 'utf8' })
  const ours = stdout
    .split('\n')
    .filter((line) => /error/.test(line) && !/^node_modules\/(?!@?bridgekeeper)/.test(line))
  expect(ours).toEqual([])
})

test('[EMBED.9] puts types first in each entry, and ships every file that an entry names', () => {
  for (const name of ['@bridgekeeper/protocol', '@bridgekeeper/bridge', '@bridgekeeper/standalone']) {
    const own = join(folder, 'node_modules', name)
    const { exports: entries } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8'))
    expect(Object.keys(entries), name).toContain('.')
    expect(Object.keys(entries), name).not.toContain('./testing')
    for (const [entry, files] of Object.entries<string | Record<string, string>>(entries)) {
      if (typeof files === 'string') continue
      expect(Object.keys(files), `${name} ${entry}`).toEqual(['types', 'default'])
      for (const file of Object.values(files)) expect(existsSync(join(own, file)), file).toBe(true)
    }
  }
})

test('[EMBED.9] includes each source in its map, and names no file outside the package', () => {
  const own = join(folder, 'node_modules/@bridgekeeper/bridge/src')
  for (const map of globSync('**/*.map', { cwd: own })) {
    const { sources, sourcesContent } = JSON.parse(readFileSync(join(own, map), 'utf8'))
    expect(sources, map).toEqual([basename(map).replace('.js.map', '.ts')])
    expect(sourcesContent, map).toHaveLength(1)
  }
})

test('[EMBED.9] installs no package with an install script', () => {
  const manifests = globSync('node_modules/**/package.json', { cwd: folder })
  expect(manifests.length).toBeGreaterThan(50)
  for (const path of manifests) {
    const { scripts = {} } = JSON.parse(readFileSync(join(folder, path), 'utf8'))
    const found = ['preinstall', 'install', 'postinstall'].filter((script) => script in scripts)
    expect(found, path).toEqual([])
    expect(existsSync(join(folder, dirname(path), 'binding.gyp')), path).toBe(false)
  }
})

describe.each(NODES)('with %s', (node) => {
  const command = (...args: string[]) => [
    join(folder, 'node_modules/bridgekeeper/bin/bridgekeeper.mjs'),
    ...args,
  ]
  const servers = { everything: published('everything') }

  test('[EMBED.9] npx finds the command; serve and connect run, and a caller calls a tool', async () => {
    const version = new Program(
      'sh',
      ['-c', 'PATH="$0:$PATH" exec npx bridgekeeper --version', dirname(node)],
      {},
      folder,
    )
    expect((await version.ended).stdout).toBe('0.1.0\n')

    const data = join(scratch(), 'data')
    const bridge = new Program(node, command('serve', '--port', '0', '--data', data, '--json'), {}, folder)
    const { url } = await bridge.printed((out) => eventIn<{ url: string }>(out, 'event', 'listening'))
    const run = (...args: string[]) => new Program(node, command(...args), {}, folder).ended
    await run('user', 'add', 'ann@example.com', '--data', data)
    const issued = await run('token', 'issue', 'ann@example.com', '--data', data, '--json')
    const { accessToken } = JSON.parse(issued.stdout)
    const env = { BRIDGEKEEPER_TOKEN: accessToken, BRIDGEKEEPER_URL: url }
    const agent = new Program(
      node,
      command('connect', url, '--config', configFile(servers), '--json'),
      env,
      folder,
    )
    await agent.printed((out) => eventIn(out, 'type', 'server-ready'))
    const called = new Program(
      node,
      command('call', 'everything', 'echo', '{"message":"hello"}'),
      env,
      folder,
    )
    expect(await called.ended).toEqual({ code: 0, signal: null, stdout: 'Echo: hello\n', stderr: '' })
  })

  test.each(['express.js', 'fastify.js', 'out/express.js', 'out/fastify.js'])(
    '[EMBED.9] %s embeds the bridge and calls a tool of an agent',
    async (file) => {
      const app = new Program(node, [file], { AGENT_TOKEN }, folder)
      const port = await app.printed((out) => /port=(\d+)/.exec(out)?.[1])
      const args = command('connect', `http://127.0.0.1:${port}`, '--config', configFile(servers), '--json')
      const agent = new Program(node, args, { BRIDGEKEEPER_TOKEN: AGENT_TOKEN }, folder)
      await agent.printed((out) => eventIn(out, 'type', 'server-ready'))
      await expect
        .poll(async () => (await fetch(`http://127.0.0.1:${port}/shout`)).json())
        .toEqual({ content: [{ type: 'text', text: 'Echo: hello' }] })
    },
  )
})
