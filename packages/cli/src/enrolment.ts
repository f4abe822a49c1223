import { hostname } from 'node:os'
import { type AgentEvent, DeviceLogin, ensureEnrolled, type Keychain, realSystem } from '@bridgekeeper/agent'
import { openBrowser } from './browser.ts'
import { UsageError } from './usage-error.ts'

export interface EnrolmentSettings {
  readonly deviceName: string | undefined
  readonly enrolAgain: boolean
  /** Whether the page is opened on which the user approves this machine. */
  readonly opensBrowser: boolean
}

/**
 * This machine's login at the bridge. Enrols it first if needed, which the user approves in a browser.
 * @param bridge its web address
 * @throws AgentError, Unreachable, UsageError; the signal's reason if it aborts
 */
export async function deviceLogin(
  bridge: string,
  keys: Keychain,
  settings: EnrolmentSettings,
  onEvent: (event: AgentEvent) => void,
  end: AbortSignal,
): Promise<DeviceLogin> {
  const { deviceName, enrolAgain: again, opensBrowser } = settings
  const name = deviceName ?? (hostname() || 'this machine')
  const tell = (event: AgentEvent): void => {
    onEvent(event)
    if (event.type === 'enrolment-waiting' && opensBrowser)
      openBrowser(event.verificationUriComplete ?? event.verificationUri)
  }
  await ensureEnrolled({ keychain: keys, system: realSystem, onEvent: tell }, { bridge, name, again }, end)
  return new DeviceLogin(keys, bridge, realSystem, end)
}

/** TLS proves which bridge answers, so its check must be on. @throws UsageError */
export function demandVerifiedTls(env: Readonly<Record<string, string | undefined>>): void {
  if (env.NODE_TLS_REJECT_UNAUTHORIZED !== '0') return
  throw new UsageError(
    'NODE_TLS_REJECT_UNAUTHORIZED=0 would let anyone impersonate the bridge.',
    'Unset it; to trust your own certificate, set NODE_EXTRA_CA_CERTS to its file.',
  )
}
