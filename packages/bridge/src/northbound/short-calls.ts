import type { IncomingMessage } from 'node:http'
import {
  BridgeError,
  discard,
  type Era,
  type PayloadStream,
  type RawJson,
  unreachable,
} from '@bridgekeeper/protocol'
import { type CallOutcome, failed, isRefusal, readOutcome, type WholeOutcome } from '../calls/outcome.ts'
import { callScope } from '../gates/call-authority.ts'
import { denialError } from '../gates/verdict.ts'
import type { System } from '../ports.ts'
import type { Dispatcher } from '../router/dispatcher.ts'
import { failureResult } from './call-failure.ts'
import { LateReply } from './late-reply.ts'
import type { CallParams } from './message.ts'
import type { MessageContext } from './message-context.ts'
import { acceptsEvents, type Reply, rpcParts } from './reply.ts'
import type { ResourceMetadata } from './resource-metadata.ts'
import { guarded } from './respond.ts'
import { metaToForward } from './revision.ts'
import { sendError } from './send-error.ts'
import type { ToolAddress } from './tool-names.ts'
import { resultFor } from './tool-result.ts'
import type { ToolView } from './tool-view.ts'

/** Runs calls in the short form: arguments in, result out. */
export class ShortCalls {
  readonly #dispatcher: Dispatcher
  readonly #metadata: ResourceMetadata | undefined
  readonly #system: System

  constructor(dispatcher: Dispatcher, metadata: ResourceMetadata | undefined, system: System) {
    this.#dispatcher = dispatcher
    this.#metadata = metadata
    this.#system = system
  }

  /** Runs a call and answers it. */
  run(context: MessageContext, id: RawJson, call: CallParams, era: Era): void {
    const { body, open, view } = context
    const own = view.ownResult(call.toolName)
    if (own !== undefined) return answerOwn(context, id, era, own)
    const reply = this.#replyOf(context)
    const address = view.address(call.toolName)
    if (address instanceof BridgeError) {
      open.charge(body.length)
      return sendError(reply, id, address)
    }
    const { serverName, toolName } = address
    const settle = (outcome: CallOutcome): void =>
      guarded(open.response, () => {
        if (open.hasEnded) return
        // [LOAD.4] Charges calls that no rate limit counted.
        if (isRefusal(outcome)) open.charge(body.length)
        if (lacksScope(outcome)) this.#askForScope(context.request, reply, id, outcome.error, address)
        else if (outcome.kind === 'large') this.#sendLarge(context, reply, id, era, outcome.result)
        else sendOutcome(reply, view, id, era, explainedOutcome(outcome, view, serverName))
        open.sent()
      })
    const { rawArgs } = call
    const rawMeta = metaToForward(era, call.rawMeta)
    open.runs(
      id,
      this.#dispatcher.call(open.caller, { serverName, toolName, rawArgs, rawMeta, bounded: true }, settle),
    )
  }

  /** A result of the 2025 era needs no change, so that it passes while it arrives. */
  #sendLarge(
    { open, view }: MessageContext,
    reply: Reply,
    id: RawJson,
    era: Era,
    result: PayloadStream,
  ): void {
    if (era === '2025') return reply.large(id, rpcParts(id, 'result', result), 200, () => open.sent())
    const refused = open.hold(result.sizeBytes)
    if (refused !== undefined) {
      discard(result)
      return sendError(reply, id, denialError(refused))
    }
    readOutcome({ kind: 'large', result }, (whole) =>
      guarded(open.response, () => {
        if (!open.hasEnded) sendOutcome(reply, view, id, era, whole)
      }),
    )
  }

  #replyOf({ open, reply, at, request }: MessageContext): Reply {
    return at === undefined && acceptsEvents(request.headers)
      ? new LateReply(open, reply, this.#system)
      : reply
  }

  /** [RS.6] Names the scope that a client must request for this call. */
  #askForScope(
    request: IncomingMessage,
    reply: Reply,
    id: RawJson,
    error: BridgeError,
    address: ToolAddress,
  ): void {
    const neededScope = callScope(address.serverName, address.toolName)
    reply.refuse(id, error, { metadataUrl: this.#metadata?.urlFor(request), neededScope })
  }
}

function lacksScope(outcome: CallOutcome): outcome is Extract<CallOutcome, { kind: 'failed' }> {
  return outcome.kind === 'failed' && outcome.error.code === 'scope_insufficient'
}

/** Answers for a tool of the bridge. It reaches no agent, so it counts as any other message. */
function answerOwn(
  { body, open, view, reply }: MessageContext,
  id: RawJson,
  era: Era,
  result: RawJson,
): void {
  const spent = open.spend(body.length)
  if (spent !== undefined) return reply.refuse(id, denialError(spent))
  sendOutcome(reply, view, id, era, { kind: 'result', result })
  open.sent()
}

/** [AGG.4] A failure that a model should explain becomes the result of the call. */
function explainedOutcome(outcome: WholeOutcome, view: ToolView, serverName: string): WholeOutcome {
  if (outcome.kind !== 'failed') return outcome
  const error = view.explain(outcome.error, serverName)
  const result = failureResult(error)
  return result === undefined ? failed(error) : { kind: 'result', result }
}

function sendOutcome(reply: Reply, view: ToolView, id: RawJson, era: Era, outcome: WholeOutcome): void {
  switch (outcome.kind) {
    case 'result': {
      const result = resultFor(era, outcome.result, () => view.serverIdentity())
      if (result === undefined) return sendError(reply, id, new BridgeError('result_invalid'))
      return reply.result(id, result)
    }
    case 'rpc-error':
      return reply.error(id, outcome.rpcError)
    case 'failed':
      return sendError(reply, id, outcome.error)
    default:
      return unreachable(outcome)
  }
}
