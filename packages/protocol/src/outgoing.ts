import type { OutgoingFrame } from './chunk-sender.ts'
import { type CarrierFrame, encodeExchange, encodeToolExecute, encodeToolResult } from './codec.ts'
import type { RawJson } from './json.ts'
import { limits } from './limits.ts'

/** A frame of an exchange, as v2 sends it. */
export function outgoingExchange({ message, ...frame }: CarrierFrame): OutgoingFrame {
  const { id } = frame
  const isLast = frame.type !== 'message'
  if (message === undefined) return { id, head: encodeExchange(frame), isLast }
  return fitted({ id, isLast }, message, (payload) =>
    encodeExchange(
      typeof payload === 'number' ? { ...frame, bytes: payload } : { ...frame, message: payload },
    ),
  )
}

/** A call, as v2 sends it. */
export function outgoingCall(
  call: Parameters<typeof encodeToolExecute>[0] & { readonly rawArgs: RawJson },
): OutgoingFrame {
  const { id } = call
  return fitted({ id, isLast: true }, call.rawArgs, (rawArgs) => encodeToolExecute({ ...call, rawArgs }))
}

/** The answer to a call, as v2 sends it. */
export function outgoingResult(id: string, result: RawJson): OutgoingFrame {
  return fitted({ id, isLast: true }, result, (payload) => encodeToolResult(id, payload))
}

/** Puts the payload into the frame if both fit into one message; otherwise the frame announces its size. */
function fitted(
  frame: Pick<OutgoingFrame, 'id' | 'isLast'>,
  payload: RawJson,
  encode: (payload: RawJson | number) => Buffer,
): OutgoingFrame {
  const whole = payload.length < limits.messageBytes ? encode(payload) : undefined
  if (whole !== undefined && whole.length <= limits.messageBytes) return { ...frame, head: whole }
  return { ...frame, head: encode(payload.length), payload }
}
