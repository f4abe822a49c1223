import type { IncomingMessage } from 'node:http'
import type { Span } from '@bridgekeeper/protocol'
import type { OpenRequest } from './open-request.ts'
import type { Reply } from './reply.ts'
import type { ToolView } from './tool-view.ts'

/** A message of a caller and the request around it. */
export interface MessageContext {
  readonly request: IncomingMessage
  readonly open: OpenRequest
  readonly view: ToolView
  readonly body: Buffer
  /** Position of the message in a batch; `undefined` for a single message. */
  readonly at?: Span
  readonly reply: Reply
}

/** The same for a message without an answer. */
export type NoteContext = Omit<MessageContext, 'reply'>
