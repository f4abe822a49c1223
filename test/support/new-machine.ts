import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { configFile, fixture } from './agent-program.ts'
import { eventIn, startBridgekeeper } from './installation.ts'
import type { OAuthNode } from './oauth.ts'
import type { Program } from './program.ts'
import { scratch } from './scratch.ts'

type Event = Readonly<Record<string, unknown>>

/** A machine whose user has never been here; its keys are in files, as on a server without a desktop. */
export function newMachine(node: Pick<OAuthNode, 'url'>) {
  const home = join(scratch(), 'home')
  const config = configFile({ unruly: fixture('unruly') })
  const env = { BRIDGEKEEPER_HOME: home, BRIDGEKEEPER_KEY_STORE: 'file' }
  const start = (...args: string[]) =>
    startBridgekeeper(['connect', node.url, '--config', config, ...args], env)
  const event = (program: Program, type: string): Promise<Event> =>
    program.printed((stdout) => eventIn<Event>(stdout, 'type', type))
  const path = (): string => {
    const folder = join(home, 'bridges')
    return join(folder, readdirSync(folder).find((entry) => entry.endsWith('.json')) ?? '')
  }
  const record = (): Event => JSON.parse(readFileSync(path(), 'utf8')) as Event
  return { home, config, env, start, event, path, record }
}

/** Ann enters the code, sees what the machine shows, and approves it. */
export async function approve(node: OAuthNode, { userCode, keyWords }: Event): Promise<void> {
  const ann = await node.login('ann')
  const input = await ann.visit(`${node.url}/device`)
  const page = await ann.submit(input, { action: '/device' }, { user_code: String(userCode) })
  expect(page.text).toContain(String(keyWords))
  const done = await ann.submit(page, { confirm: 'yes' })
  expect(done.text).toContain('Approved')
}
