import type {
  BridgeError,
  Era,
  ExchangeKind,
  ExchangeSession,
  Payload,
  RawJson,
} from '@bridgekeeper/protocol'
import type { CallOutcome, ToolCall } from '../calls/outcome.ts'
import type { SentCall } from '../connection/ready-connection.ts'

/** A caller's message for a local server. */
export interface Opening {
  readonly serverName: string
  readonly kind: ExchangeKind
  readonly era: Era
  /** JSON-RPC method of a request; `undefined` for the other kinds. */
  readonly method: string | undefined
  /** The tool, the prompt, or the URI of the resource that the request names. */
  readonly name: string | undefined
  /** The caller's `MCP-Protocol-Version`. */
  readonly version: string | undefined
  /** `undefined` for stateless callers. */
  readonly session: ExchangeSession | undefined
  /** Whether the caller can read messages before the answer. */
  readonly streams: boolean
  /** The exchange whose stream is read on, and the last number that the caller has. */
  readonly resume?: { readonly id: string; readonly after: number }
  /** Headers `Mcp-Param-*` by the rest of their name, in lower case. */
  readonly params?: Readonly<Record<string, string>>
  /** The JSON-RPC message as the caller wrote it. */
  readonly message?: RawJson
}

/** How an exchange ended. */
export type ExchangeEnd =
  | {
      readonly kind: 'answered'
      /** HTTP status, if no stream has begun. */
      readonly status: number
      /** The JSON-RPC answer, with the caller's id; missing for notes. One that still arrives must be read. */
      readonly message: Payload | undefined
      readonly number: number | undefined
    }
  | { readonly kind: 'failed'; readonly error: BridgeError }
  /**
   * The agent's connection ended. The exchange of an MCP session goes on, and its stream can be read on. `error` is
   * for a caller without a stream.
   */
  | { readonly kind: 'cut'; readonly error: BridgeError }

/** Receives everything that answers an exchange, in order: `accepted`, messages, one end. */
export interface ExchangeReader {
  /** The local server has the request. */
  accepted(): void
  /**
   * Nothing follows before a message that still arrives is complete, but the end if it is cut.
   * @param message must be read
   * @param number position in the stream; only in MCP sessions
   */
  message(message: Payload, number: number | undefined): void
  /** Called exactly once, unless the reader detached; nothing follows. */
  ended(end: ExchangeEnd): void
}

/** An open exchange, for its reader. Each method has no effect after the end and its whole message. */
export interface OpenExchange {
  /** Identifies the exchange and its stream. `undefined` until it is sent, and if it was refused before. */
  readonly id: string | undefined
  /** The answer is of no use any more. */
  cancel(): void
  /** The reader went away and may come back: the exchange goes on, and this reader gets nothing more. */
  detach(): void
  /** The caller has everything, so the machine need not keep the stream. May be called after the end. */
  done(): void
}

/** A login that may be revoked. */
export interface ClientLogin {
  readonly userId: string
  readonly sessionId: string
  readonly deviceId: string | undefined
  readonly isRevoked: boolean
}

/** The login of a caller, as machines see it. */
export interface Client {
  readonly name: string
  /** `undefined` for the embedding app itself. */
  readonly login: ClientLogin | undefined
}

/** The way to one device that has a local server. */
export interface Upstream {
  /** Runs the short form of a call. `settle` is called exactly once, also for a refusal. */
  call(call: ToolCall, settle: (outcome: CallOutcome) => void): SentCall
  /** `ended` is called exactly once, also for a refusal. */
  open(opening: Opening, client: Client, reader: ExchangeReader): OpenExchange
}
