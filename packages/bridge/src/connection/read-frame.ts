import { decodeUp, objectMembers, type ProtocolVersion, stringAt } from '@bridgekeeper/protocol'
import { validateMessageSize } from '../gates/agent-socket.ts'
import type { MessageEvent } from './life.ts'

/** Reads a frame for the state machine: a message, or the reason why it is invalid. */
export function readFrame(frame: Buffer, isBinary: boolean, version: ProtocolVersion): MessageEvent {
  const sizeBytes = frame.length
  if (isBinary) return { type: 'bad-message', code: 'message_not_text', detail: '', sizeBytes }
  if (!validateMessageSize(sizeBytes).allowed)
    return { type: 'bad-message', code: 'message_too_large', detail: '', sizeBytes }
  const decoded = decodeUp(frame, version)
  if (decoded.ok) return { type: 'message', message: decoded.message, sizeBytes }
  return { type: 'bad-message', code: decoded.code, detail: decoded.detail, sizeBytes }
}

/**
 * Matches the usual beginning of an answer, the only readable part of one that is nested too deep or has
 * hostile keys.
 */
const ANSWER_HEAD = /^\{"type":"(?:tool_result|end)","id":"([\w-]+)"/
const HEAD_BYTES = 256

/** The call or exchange that a refused frame meant to end. */
export function answeredId(frame: Buffer): string | undefined {
  const members = objectMembers(frame)
  const span = members?.get('id')
  if (stringAt(frame, members?.get('type')) === 'message') return undefined
  if (span !== undefined) return frame.toString('utf8', span[0] + 1, span[1] - 1)
  return ANSWER_HEAD.exec(frame.toString('latin1', 0, HEAD_BYTES))?.[1]
}
