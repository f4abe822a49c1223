import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { connect, fixture } from '../support/agent-program.ts'
import { login, type RunningBridge, serve } from '../support/installation.ts'
import { scratch } from '../support/scratch.ts'

const EMAIL = 'ann@example.com'
const WAIT = { timeout: 20_000, interval: 20 }

export interface Cancellable {
  readonly bridge: RunningBridge
  readonly token: string
  /** Resolves when the local server has received the call of `hang` with this message. */
  called(message: string): Promise<void>
  /** Resolves when the local server has received `notifications/cancelled` for that call. */
  cancelled(message: string): Promise<void>
}

/** A bridge and an agent with the fixture `cancellable` as its local server `local`. */
export async function startCancellable(): Promise<Cancellable> {
  const log = join(scratch(), 'calls.log')
  writeFileSync(log, '')
  const bridge = await serve()
  const token = (await login(bridge.data, EMAIL)).accessToken
  await connect(bridge, { token, servers: { local: fixture('cancellable', log) } })
  const idOf = (message: string) =>
    new RegExp(`^called (.*) ${message}$`, 'm').exec(readFileSync(log, 'utf8'))?.[1]
  return {
    bridge,
    token,
    called: (message) => vi.waitFor(() => expect(idOf(message)).toBeDefined(), WAIT),
    cancelled: (message) =>
      vi.waitFor(
        () => expect(readFileSync(log, 'utf8').split('\n')).toContain(`cancelled ${idOf(message)}`),
        WAIT,
      ),
  }
}
