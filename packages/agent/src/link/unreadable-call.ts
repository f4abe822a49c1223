import { isObject, limits, parseJson } from '@bridgekeeper/protocol'

/** Finds the id of a call whose frame does not decode, if the bridge would accept an answer with it. */
export function unreadableCallId(frame: Buffer): string | undefined {
  const value = parseJson(frame.toString('utf8'))?.value
  if (!isObject(value) || value.type !== 'tool_execute' || typeof value.id !== 'string') return undefined
  const isUsable = value.id !== '' && value.id.length <= limits.callIdChars
  return isUsable ? value.id : undefined
}
