import type { ErrorCode, ProtocolVersion } from '@bridgekeeper/protocol'

/**
 * Events for the agent's user. They never contain a token, arguments, a result or a value of a server's
 * environment.
 */
export type AgentEvent = SampledEvent | LeftOutEvent

/** At most 100 of a kind are reported within 10 seconds. */
export type SampledEvent = LinkEvent | ExchangeEvent | ServerEvent | ConfigEvent | EnrolmentEvent

/** Counts the events of one kind beyond the limit; `last` is the latest of them. */
interface LeftOutEvent {
  readonly type: 'events-left-out'
  readonly count: number
  readonly last: SampledEvent
}

export type LinkEvent =
  | { readonly type: 'connecting'; readonly url: string; readonly version: ProtocolVersion }
  | { readonly type: 'verified'; readonly url: string; readonly version: ProtocolVersion }
  | {
      readonly type: 'disconnected'
      readonly reason: string
      readonly ignoredFrames: number
      readonly retryInMs: number
    }
  /** The bridge reported an error by its code. */
  | { readonly type: 'bridge-error'; readonly code: string }
  | CallFinished

interface CallFinished {
  readonly type: 'call-finished'
  readonly server: string
  readonly tool: string
  readonly outcome: 'ok' | ErrorCode
  readonly durationMs: number
}

export type ExchangeEvent =
  | CallFinished
  /** Another request than a call. */
  | {
      readonly type: 'request-finished'
      readonly server: string
      readonly method: string
      readonly outcome: 'ok' | ErrorCode
      readonly durationMs: number
    }
  /** The file of MCP sessions could not be read or written; they are forgotten when the agent ends. */
  | { readonly type: 'session-file-unusable'; readonly reason: string }
  /** A log message of a server that belongs to no client, or to one of several. */
  | { readonly type: 'server-log'; readonly name: string; readonly level: string; readonly text: string }

export type ConfigEvent =
  /** The entries were replaced. Names of servers that start, stop and restart; the others keep running. */
  | {
      readonly type: 'config-changed'
      readonly added: readonly string[]
      readonly removed: readonly string[]
      readonly changed: readonly string[]
    }
  /** A new version of the config file cannot be used; the servers stay as they are. */
  | {
      readonly type: 'config-unread'
      readonly code: string
      /** Names line and column where it can. */
      readonly reason: string
      /** The next step, in words for a person. */
      readonly next: string
    }

export type EnrolmentEvent =
  /** The user is to approve this machine at the address; code and words must be the same on both sides. */
  | {
      readonly type: 'enrolment-waiting'
      readonly bridge: string
      readonly name: string
      readonly verificationUri: string
      /** The same with the code in it. */
      readonly verificationUriComplete?: string
      readonly userCode: string
      readonly keyWords: string
      readonly expiresInMs: number
    }
  | {
      readonly type: 'enrolled'
      readonly bridge: string
      readonly deviceId: string
      readonly name: string
      readonly keyStore: 'os' | 'file'
    }

export type ServerEvent =
  /** A server was started, or is still starting; it is ended at the limit. */
  | {
      readonly type: 'server-starting'
      readonly name: string
      readonly forMs: number
      readonly limitMs: number
      /** Whether its command may have to download something first, such as `npx`. */
      readonly mayInstall: boolean
    }
  | {
      readonly type: 'server-ready'
      readonly name: string
      readonly tools: number
      readonly skippedTools: number
    }
  | { readonly type: 'server-tools-changed'; readonly name: string; readonly tools: number }
  /** Its new list of tools could not be read; the old one stays. */
  | { readonly type: 'server-tools-unread'; readonly name: string; readonly reason: string }
  /** Tools that were left out or repaired; `names` has the first few. */
  | {
      readonly type: 'server-tools-odd'
      readonly name: string
      /** Why each was left out or repaired. */
      readonly reason: string
      readonly count: number
      readonly names: readonly string[]
    }
  /** Standard output that is not a message; `text` is its beginning, up to its first JSON. */
  | {
      readonly type: 'server-output-ignored'
      readonly name: string
      readonly reason: string
      readonly text: string
    }
  /** A server could not be started or listed; without `retryInMs` there is no retry. */
  | ({ readonly type: 'server-failed'; readonly retryInMs?: number } & ServerEnd)
  /** A server ended after it had been ready. */
  | ({ readonly type: 'server-exited'; readonly retryInMs: number } & ServerEnd)
  /** A further process of a server could not be started, or ended. The first one keeps running. */
  | ({ readonly type: 'server-instance-failed' } & ServerEnd)
  /** A line of a server's standard error. */
  | { readonly type: 'server-stderr'; readonly name: string; readonly text: string }

interface ServerEnd {
  readonly name: string
  readonly reason: string
  /** The end of its standard error, as one line. */
  readonly stderr: string
  /** Lines on its standard output that were not messages. */
  readonly ignoredLines: number
}
