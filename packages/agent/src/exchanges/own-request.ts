import { type RawJson, toJson } from '@bridgekeeper/protocol'
import type { Instance, InstanceFault } from '../servers/instance.ts'
import type { RawOutcome } from '../servers/raw-calls.ts'

/** Instances that get what all sessions of a group want together. */
export interface Target {
  readonly all: () => readonly Instance[]
  /** @param client login that needs it */
  readonly shared: (client: string) => Promise<Instance | InstanceFault>
}

/** Result of a request that says no more than that it succeeded. */
export const SUCCESS: RawOutcome = { kind: 'result', result: toJson({}) }

/** An error with which the agent answers for a server. */
export function ownError(code: number, message: string): RawOutcome {
  return { kind: 'rpc-error', message, rpcError: toJson({ code, message }) }
}

/** Sends a request of the agent's own. */
export function ownRequest(
  instance: Instance,
  method: string,
  params: RawJson | undefined,
): Promise<RawOutcome> {
  return instance.request(method, params, new AbortController().signal)
}
