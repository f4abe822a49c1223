import {
  cleanText,
  codes,
  type Era,
  type ErrorCode,
  type RawJson,
  withoutMembers,
} from '@bridgekeeper/protocol'
import { CANNOT_ASK, needsInput, resultFor2025 } from '../eras/results.ts'
import type { LocalCall, LocalOutcome } from '../local-tools.ts'
import { envelopeMeta } from './envelope.ts'
import { failureOf, type RawOutcome } from './raw-calls.ts'

const META = Buffer.from(',"_meta":')
const CLOSE = Buffer.from('}')

/**
 * Parameters of `tools/call`. [EXCH.21] A call in the short form gets no progress, and its token may be one that the
 * agent gave to the server for another caller.
 */
export function toolCallParams({ toolName, rawArgs, rawMeta }: LocalCall, era: Era): RawJson {
  const head = `{"name":${JSON.stringify(toolName)},"arguments":`
  const ownMeta = rawMeta && withoutMembers(rawMeta, ['progressToken'])
  const rawMetaSent = era === '2026' ? envelopeMeta(ownMeta) : ownMeta
  const meta = rawMetaSent === undefined ? [] : [META, rawMetaSent]
  return Buffer.concat([Buffer.from(head), rawArgs, ...meta, CLOSE])
}

/** Tells the bridge how a call ended; its short form is of the 2025 era. @param era of the server */
export function localOutcome(outcome: RawOutcome, era: Era): LocalOutcome {
  switch (outcome.kind) {
    case 'result':
      if (era === '2026' && needsInput(outcome.result)) return localOutcome(CANNOT_ASK, era)
      return { ok: true, result: era === '2026' ? resultFor2025(outcome.result) : outcome.result }
    case 'rpc-error': {
      const { message, rpcError } = outcome
      return { ok: false, code: 'tool_failed', error: cleanText(message), rpcError }
    }
    default:
      return failure(...failureOf(outcome))
  }
}

export function failure(code: ErrorCode, detail?: string): LocalOutcome {
  const { message } = codes[code]
  return { ok: false, code, error: cleanText(detail === undefined ? message : `${message} ${detail}`) }
}
