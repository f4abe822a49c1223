import {
  arrayItems,
  isAmbiguous,
  type RawJson,
  replaceAt,
  textAt,
  toJson,
  valueAt,
} from '@bridgekeeper/protocol'
import type { Instance } from '../servers/instance.ts'
import type { RawOutcome } from '../servers/raw-calls.ts'
import type { System } from '../system.ts'
import type { Exchange } from './exchange.ts'
import { ownRequest } from './own-request.ts'
import type { Session } from './session.ts'

/** Tasks that are known at once; then the oldest of the client with most is forgotten. */
export const MAX_TASKS = 1_024
/** Tasks of one client; the oldest are forgotten. */
export const MAX_CLIENT_TASKS = 256
/** Tasks of a list that are looked at. */
const MAX_LISTED = 10_000
/** Time after which a task is forgotten. */
export const TASK_MS = 3_600_000

/** Work that a server does in the background of a request (MCP 2025-11-25, tasks). */
export interface Task {
  readonly instance: Instance
  /** Text that is equal for the same session, or client without a session. */
  readonly owner: string
  readonly session: Session | undefined
  /** Token of progress that the server was given. */
  readonly token: number
  /** That of the caller. */
  readonly callerToken: RawJson | undefined
}

/** Methods about tasks. */
const TASKS = 'tasks/'
const LIST = 'tasks/list'
const CANCEL = 'tasks/cancel'
const AMBIGUOUS: RawOutcome = {
  ...{ kind: 'invalid', code: 'result_invalid', text: Buffer.alloc(0) },
  detail: 'Its list of tasks can be read in two ways.',
}

interface Known extends Task {
  readonly id: string
  /** User and login session. */
  readonly client: string
  forget(): void
}

/** The tasks of callers. Each belongs to one session, and to the process that runs it. */
export class Tasks {
  readonly #system: System
  /** By server and id. */
  readonly #known = new Map<string, Known>()

  constructor(system: System) {
    this.#system = system
  }

  /** Remembers the task that a result began, if it is one. */
  record(exchange: Exchange, task: Pick<Task, 'instance' | 'token' | 'callerToken'>, result: RawJson): void {
    const { serverName, client, params, session } = exchange.facts
    // The caller asks for a task, or says that it knows them.
    if (params?.includes('task') !== true) return
    const taskId = textAt(result, ['task', 'taskId']) ?? textAt(result, ['taskId'])
    const key = JSON.stringify([serverName, taskId])
    if (taskId === undefined || this.#known.has(key)) return
    const unhold = task.instance.hold()
    const cancelTimer = this.#system.schedule(TASK_MS, () => this.#known.get(key)?.forget())
    const forget = () => {
      this.#known.delete(key)
      cancelTimer()
      unhold()
    }
    this.#known.set(key, { ...task, id: taskId, client, owner: ownerText(exchange), session, forget })
    void task.instance.ended.then(() => this.#known.get(key)?.forget())
    this.#trim(client)
  }

  /** [EXCH.31] Bounds the tasks of a client, and of all. No client's tasks make another's be forgotten. */
  #trim(client: string): void {
    const byClient = Map.groupBy(this.#known.values(), (task) => task.client)
    const own = byClient.get(client) ?? []
    if (own.length > MAX_CLIENT_TASKS) return own[0]?.forget()
    if (this.#known.size <= MAX_TASKS) return
    const [most = []] = [...byClient.values()].toSorted((one, other) => other.length - one.length)
    most[0]?.forget()
  }

  /** A task of any caller. */
  find(serverName: string, taskId: string): Task | undefined {
    return this.#known.get(JSON.stringify([serverName, taskId]))
  }

  /** The task whose progress a server reports after the request has ended. */
  ofToken(instance: Instance, token: number): Task | undefined {
    return [...this.#known.values()].find((task) => task.instance === instance && task.token === token)
  }

  /** Cancels the tasks of a client. */
  revoke(client: string): void {
    for (const task of [...this.#known.values()]) {
      if (task.client !== client) continue
      void ownRequest(task.instance, CANCEL, toJson({ taskId: task.id }))
      task.forget()
    }
  }

  /** Whether a request is about a task that its caller is not known to have begun: that may be another's. */
  isForeign(exchange: Exchange): boolean {
    const { method } = exchange.facts
    if (!method.startsWith(TASKS) || method === LIST) return false
    return this.#named(exchange)?.owner !== ownerText(exchange)
  }

  /** The process that runs the task that a request is about. */
  instanceFor(exchange: Exchange): Instance | undefined {
    const { serverName, method } = exchange.facts
    if (method !== LIST) return this.#named(exchange)?.instance
    const owner = ownerText(exchange)
    for (const [key, task] of this.#known)
      if (task.owner === owner && JSON.parse(key)[0] === serverName) return task.instance
    return undefined
  }

  /** Leaves tasks of other callers out of a result of `tasks/list`. */
  withOwn(exchange: Exchange, outcome: RawOutcome): RawOutcome {
    if (exchange.facts.method !== LIST || outcome.kind !== 'result') return outcome
    if (isAmbiguous(outcome.result, ['tasks'])) return AMBIGUOUS
    return { ...outcome, result: this.#ownOf(exchange, outcome.result) }
  }

  #ownOf(exchange: Exchange, result: RawJson): RawJson {
    const owner = ownerText(exchange)
    const list = valueAt(result, ['tasks'])
    if (list === undefined) return result
    const items = arrayItems(list, MAX_LISTED) ?? []
    const own = items
      .map(([start, end]) => list.subarray(start, end))
      .filter((item) => this.find(exchange.facts.serverName, textAt(item, ['taskId']) ?? '')?.owner === owner)
    return replaceAt(
      result,
      ['tasks'],
      Buffer.from(`[${own.map((item) => item.toString('utf8')).join(',')}]`),
    )
  }

  #named({ facts: { serverName, method, params } }: Exchange): Task | undefined {
    const taskId = method.startsWith(TASKS) ? textAt(params, ['taskId']) : undefined
    return taskId === undefined ? undefined : this.find(serverName, taskId)
  }
}

function ownerText({ facts: { session, client } }: Exchange): string {
  return JSON.stringify(session === undefined ? [client] : [client, session.facts.id])
}
