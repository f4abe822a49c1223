import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { nodeServer, startAgent } from '../support/agent-program.ts'
import { bridgekeeper, login, serve } from '../support/installation.ts'
import { Person, wordsOn } from '../support/person.ts'
import { repository } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'
import type { Target } from './clients/client.ts'

const EMAIL = 'ann@example.com'
const PASSWORD = 'a horse that reads maps'
const FIXTURE = join(repository, 'test/conformance/fixtures/stdio.ts')
const WAIT = { timeout: 20_000, interval: 5 }

/** Forms of the conformance fixture, each a local server: of the 2025 era, of both, of the 2026 era. */
const FORMS = ['v1', 'v2', 'v2-modern'] as const

/** A bridge and an agent with local servers for clients to use. */
export interface Place {
  /** @param path of an MCP endpoint */
  target(path: string): Target
  /** Resolves when a local server has received the call of `test_hang` with this message. */
  called(message: string): Promise<void>
  /** Resolves when that call was cancelled, with the time in epoch milliseconds. */
  cancelledAtMs(message: string): Promise<number>
  /** Whether that call was cancelled by now. */
  hasCancelled(message: string): boolean
}

/** Starts a bridge, and an agent with each form of the fixture. */
export async function startPlace(): Promise<Place> {
  const log = join(scratch(), 'calls.log')
  writeFileSync(log, '')
  // All clients are logins of one user.
  const bridge = await serve({ env: { BRIDGEKEEPER_RATE_LIMIT: '10000/1m/1s' } })
  const { accessToken: token } = await login(bridge.data, EMAIL)
  const set = await bridgekeeper(
    ['user', 'password', EMAIL, '--password-stdin', '--data', bridge.data],
    {},
    PASSWORD,
  )
  expect(set.code, set.stderr).toBe(0)
  const servers = FORMS.map((form) => {
    const server = nodeServer(FIXTURE, form)
    return [form, { ...server, env: { ...server.env, FIXTURE_LOG: log } }]
  })
  const agent = startAgent(bridge, { token, servers: Object.fromEntries(servers) })
  for (const form of FORMS) await agent.event('server-ready', ({ name }) => name === form)
  await agent.shown('v2')
  const inLog = (pattern: RegExp) =>
    vi.waitFor(() => {
      const found = pattern.exec(readFileSync(log, 'utf8'))
      if (found === null) throw new Error(`the servers recorded no ${pattern}`)
      return found
    }, WAIT)
  return {
    target: (path) => ({ url: bridge.url + path, token, logIn }),
    called: async (message) => {
      await inLog(new RegExp(`^called ${message}$`, 'm'))
    },
    cancelledAtMs: async (message) =>
      Number((await inLog(new RegExp(`^cancelled ${message} at (\\d+)$`, 'm')))[1]),
    hasCancelled: (message) => readFileSync(log, 'utf8').includes(`cancelled ${message} `),
  }
}

/** Logs in and consents like a person with a browser, and follows the redirect to the app. */
async function logIn(address: string): Promise<void> {
  const person = new Person(new URL(address).origin)
  const page = await person.visit(address)
  const consent = await person.submit(page, { action: '/login' }, { email: EMAIL, password: PASSWORD })
  expect(wordsOn(consent)).toContain('asks to use MCP servers')
  const { left } = await person.submit(consent, { answer: 'allow' })
  expect((await fetch(String(left))).status).toBe(200)
}
