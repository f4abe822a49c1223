import type { IncomingMessage } from 'node:http'
import { BridgeError, bytesAt, type Era, isEmptyAt, type Span, stringAt } from '@bridgekeeper/protocol'
import { type CallParams, type RpcMessage, readParams } from './message.ts'
import type { OpenRequest } from './open-request.ts'
import type { Reply } from './reply.ts'
import { eraOf, NAMING, type RevisionError } from './revision.ts'
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

/** Facts about a message that decide how it is handled. */
export interface MessageFacts {
  readonly era: Era
  /** Name of a tool, prompt or task, or the URI of a resource, that the request is for. */
  readonly name: string | undefined
}

/** Finds the facts of a message. @param call its parameters, if they have been read */
export function factsOf(
  { request: { headers }, body, at }: NoteContext,
  { kind, method, params }: Extract<RpcMessage, { kind: 'request' | 'notification' }>,
  call?: CallParams,
): MessageFacts | RevisionError | BridgeError {
  const read = call === undefined ? readFacts(body, method, params) : { ...call, name: call.toolName }
  if (read instanceof BridgeError) return read
  const era = eraOf({ headers, kind, method, rawMeta: read.rawMeta, name: read.name })
  if (at !== undefined && era !== '2025')
    return new BridgeError('request_invalid', 'Batches are not part of revision 2026-07-28.')
  return typeof era === 'string' ? { era, name: read.name } : era
}

function readFacts(body: Buffer, method: string, params: Span | undefined) {
  const naming = NAMING[method]
  const members = readParams(body, params, naming === undefined ? ['_meta'] : ['_meta', naming])
  if (members instanceof BridgeError) return members
  const [meta, name] = members
  return { rawMeta: isEmptyAt(body, meta) ? undefined : bytesAt(body, meta), name: stringAt(body, name) }
}
