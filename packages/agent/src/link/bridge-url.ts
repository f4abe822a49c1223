import { AGENT_PATH, isLoopbackHost, plainAddress, readBridgeUrl } from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'

/**
 * The address to dial for what the user gave as the bridge: see `readBridgeUrl`.
 *
 * @throws AgentError `url_invalid`, `url_credentials`, `url_insecure`
 */
export function bridgeUrl(text: string, allowInsecure: boolean): string {
  return bridgeAddress(text, allowInsecure).replace(/^http/, 'ws') + AGENT_PATH
}

/**
 * The bridge's web address for what the user gave as the bridge, without a slash at its end: where machines are
 * enrolled.
 *
 * @throws AgentError `url_invalid`, `url_credentials`, `url_insecure`
 */
export function bridgeAddress(text: string, allowInsecure: boolean): string {
  // A URL that does not parse is not repeated: it may hold a password.
  const url = readBridgeUrl(text)
  if (url === undefined) throw new AgentError('url_invalid')
  const address = plainAddress(url)
  if (address === undefined) throw new AgentError('url_credentials')
  if (url.protocol === 'http:' && !allowInsecure && !isLoopbackHost(url.hostname))
    throw new AgentError('url_insecure')
  return address
}
