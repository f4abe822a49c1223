import { codes, type ErrorCode } from '@bridgekeeper/protocol'

/** Why an agent gives up, beside the codes that a bridge may answer with. */
const agentCodes = {
  url_invalid: {
    message: "The bridge's URL cannot be read.",
    next: 'Write it like https://bridge.example.com or http://127.0.0.1:8787.',
  },
  url_credentials: {
    message: "The bridge's URL contains a user name, password, query or fragment, and URLs end up in logs.",
    next: 'Remove them; pass a token with BRIDGEKEEPER_TOKEN or --token.',
  },
  url_insecure: {
    message: 'Without TLS, the token and every result would cross the network unencrypted.',
    next: 'Use https:// or wss://, or pass --allow-insecure on a network that you trust.',
  },
  proxy_invalid: {
    message: 'The proxy in the environment is invalid.',
    next: 'Write it like http://proxy.example.com:3128, with http:// or https://; SOCKS is not supported. NO_PROXY lists hosts that are reached directly.',
  },
  token_unreadable: {
    message: 'The token cannot be read: an agent needs a JWT with the claims sub and sid.',
    next: 'Use a token of the app that embeds the bridge, or one from: bridgekeeper token issue EMAIL',
  },
  bridge_refused: {
    message: 'The bridge refused the connection.',
    next: "Check the URL and the token, and the bridge's log for the reason.",
  },
  answer_unusable: {
    message: "The bridge's answer cannot be used.",
    next: "Check the URL. If it is right, the agent or the bridge is outdated: ask the bridge's operator.",
  },
  bridge_not_recognised: {
    message: 'This is not the bridge at which this machine was enrolled: it did not prove its pinned key.',
    next: 'Nothing was run. Check the address; if your operator reinstalled the bridge, enrol this machine again: bridgekeeper connect URL --enrol-again',
  },
  bridge_downgraded: {
    message: "The bridge, or something on the way to it, did not require proof of this machine's key.",
    next: "Nothing was run. Ask the bridge's operator; something on the way may change your messages.",
  },
  bridge_not_found: {
    message: 'No bridge answers at this URL.',
    next: 'Check the URL; agents connect to /api/mcp-ws.',
  },
  keychain_unusable: {
    message: "The folder with this machine's keys cannot be used.",
    next: 'Nothing was changed. Repair the named file or folder, or choose another folder with BRIDGEKEEPER_HOME.',
  },
  keychain_exposed: {
    message: "Others on this machine may read or replace this machine's keys.",
    next: 'Nothing was changed. Remove the rights of others; if somebody may have read the key, move the file away and enrol again.',
  },
  keychain_corrupt: {
    message: 'The stored keys of this machine cannot be read.',
    next: 'Nothing was changed. Restore the file from a backup, or move it away and enrol again: bridgekeeper connect URL',
  },
  keychain_newer: {
    message: 'The stored keys were written by a newer version of this program.',
    next: 'Nothing was changed. Use that version, or another folder with BRIDGEKEEPER_HOME.',
  },
  key_store_unavailable: {
    message: 'The key store of the operating system cannot be reached.',
    next: 'Log in to the desktop and unlock it; or enrol with a key in a file: BRIDGEKEEPER_KEY_STORE=file',
  },
  device_key_missing: {
    message: "This machine's key is missing from the key store of the operating system.",
    next: 'Enrol this machine again: bridgekeeper connect URL --enrol-again',
  },
  enrolment_unavailable: {
    message: 'This bridge does not support the enrolment of machines.',
    next: 'Check the URL; or set BRIDGEKEEPER_TOKEN to a token from the app that embeds the bridge, or from: bridgekeeper token issue EMAIL',
  },
  bridge_misnamed: {
    message: 'The bridge at this address has another public URL.',
    next: 'Connect to that URL if you trust it; its operator adds addresses with --public-url.',
  },
  enrolment_denied: {
    message: 'The request to approve this machine was denied.',
    next: 'Try again, and compare the code and the words: bridgekeeper connect URL',
  },
  enrolment_expired: {
    message: 'Nobody approved this machine in time.',
    next: 'Start again: bridgekeeper connect URL',
  },
  not_enrolled: {
    message: 'This machine is not enrolled at this bridge.',
    next: 'Enrol it: bridgekeeper connect URL',
  },
} as const satisfies Record<string, { message: string; next: string }>

export type AgentErrorCode = keyof typeof agentCodes | ErrorCode

/** There is no token now, but a retry may help. The agent shows the message, so it must hold no secret. */
export class TokenUnavailable extends Error {
  override readonly name = 'TokenUnavailable'
}

/** The agent gave up for a reason that trying again would not change. */
export class AgentError extends Error {
  override readonly name = 'AgentError'
  readonly code: AgentErrorCode
  /** The next step, in words for a person. */
  readonly next: string

  /** @param detail what the code's own text cannot know; never a secret */
  constructor(code: AgentErrorCode, detail?: string, options?: ErrorOptions) {
    const { message, next } =
      code in agentCodes ? agentCodes[code as keyof typeof agentCodes] : codes[code as ErrorCode]
    super(detail === undefined ? message : `${message} ${detail}`, options)
    this.code = code
    this.next = next
  }
}
