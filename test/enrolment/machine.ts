import { join } from 'node:path'
import {
  type AgentEvent,
  DeviceLogin,
  type EnrolledRecord,
  ensureEnrolled,
  Keychain,
  realSystem,
  type System,
} from '@bridgekeeper/agent'
import { scratch } from '../support/scratch.ts'
import type { ApprovingBridge } from './approving-bridge.ts'

/** A machine with a separate folder. */
export function machine(at: ApprovingBridge, system: System = realSystem, home = join(scratch(), 'home')) {
  const keychain = new Keychain({ home, keyStore: 'file', system })
  const events: AgentEvent[] = []
  const abort = new AbortController()
  const enrol = (options: { name?: string; again?: boolean } = {}) =>
    ensureEnrolled(
      { keychain, system, onEvent: (event) => void events.push(event) },
      { bridge: at.url, name: 'laptop', ...options },
      abort.signal,
    )
  const login = () => new DeviceLogin(keychain, at.url, system, abort.signal)
  const record = async () => (await keychain.find(at.url)) as EnrolledRecord
  return { home, keychain, events, abort, enrol, login, record }
}

export async function enrolledMachine(at: ApprovingBridge, system: System = realSystem) {
  const mine = machine(at, system)
  const enrolling = mine.enrol()
  await at.approve(await at.request(at.asked.length + 1))
  await enrolling
  return mine
}

/** The code with which it fails, or `ok`. */
export const codeOf = (act: Promise<unknown>) =>
  act.then(
    () => 'ok',
    (error: { code?: string }) => error.code,
  )
