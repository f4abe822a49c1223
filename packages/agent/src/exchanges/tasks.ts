import {
  arrayItems,
  isAmbiguous,
  type RawJson,
  replaceAt,
  textAt,
  toJson,
  valueAt,
} from '@bridgekeeper/protocol'
import { oldestOfMost } from '../fair-share.ts'
import type { Instance, ServerMessage } from '../servers/instance.ts'
import type { RawOutcome } from '../servers/raw-calls.ts'
import type { System } from '../system.ts'
import type { Exchange } from './exchange.ts'
import { ownRequest } from './own-request.ts'
import type { Session } from './session.ts'

/** Tasks that are known at once; then the oldest of the client with most is forgotten. */
export const MAX_TASKS = 1_024
/** Tasks of one client; the oldest are forgotten. */
export const MAX_CLIENT_TASKS = 256
/** Longest id of a task that is remembered. */
export const MAX_TASK_ID_CHARS = 1_024
/** Longest token of progress that outlives its request. */
export const MAX_TOKEN_BYTES = 1_024
/** Tasks of a list that are read. */
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
const GET = 'tasks/get'
const CANCEL = 'tasks/cancel'
const RESULT = 'tasks/result'
/** Status of a task that is over. */
const OVER: readonly string[] = ['completed', 'failed', 'cancelled']
const AMBIGUOUS: RawOutcome = {
  ...{ kind: 'invalid', code: 'result_invalid', text: Buffer.alloc(0) },
  detail: 'Its list of tasks can be read in two ways.',
}

interface Known extends Task {
  /** Each process names its tasks. */
  readonly id: string
  readonly serverName: string
  /** User and login session. */
  readonly client: string
  isRunning: boolean
  forget(): void
}

/** The tasks of callers. Each belongs to one session, and to the process that runs it. */
export class Tasks {
  readonly #system: System
  /** The oldest first. */
  readonly #known = new Set<Known>()
  readonly #ended = new WeakSet<Instance>()

  constructor(system: System) {
    this.#system = system
  }

  /** Remembers the task that a result began, if it is one. */
  record(exchange: Exchange, task: Pick<Task, 'instance' | 'token' | 'callerToken'>, result: RawJson): void {
    const { serverName, client, params, session } = exchange.facts
    // The caller asks for a task, or says that it knows them.
    if (params?.includes('task') !== true) return
    const taskId = textAt(result, ['task', 'taskId']) ?? textAt(result, ['taskId'])
    if (taskId === undefined || taskId.length > MAX_TASK_ID_CHARS || this.#ended.has(task.instance)) return
    if (this.of(task.instance, taskId) !== undefined) return
    const unhold = task.instance.hold()
    const cancelTimer = this.#system.schedule(TASK_MS, () => known.forget())
    const known: Known = {
      ...task,
      callerToken: keptToken(task.callerToken),
      ...{ id: taskId, serverName, client, owner: ownerText(exchange), session },
      isRunning: !isOver(valueAt(result, ['task']) ?? result),
      forget: () => {
        this.#known.delete(known)
        cancelTimer()
        unhold()
      },
    }
    this.#known.add(known)
    this.#trim(client)
  }

  /** [EXCH.31] Bounds the tasks of a client, and of all. No client's tasks make another's be forgotten. */
  #trim(client: string): void {
    const own = [...this.#known].filter((task) => task.client === client)
    if (own.length > MAX_CLIENT_TASKS) own[0]?.forget()
    else if (this.#known.size > MAX_TASKS) oldestOfMost(this.#known)?.forget()
  }

  /** A task of any caller at this process. */
  of(instance: Instance, taskId: string | undefined): Task | undefined {
    return this.#at(instance, taskId)
  }

  #at(instance: Instance, taskId: string | undefined): Known | undefined {
    return [...this.#known].find((task) => task.instance === instance && task.id === taskId)
  }

  /** A server reports the status of a task. @returns the task */
  changed(instance: Instance, { params }: Pick<ServerMessage, 'params'>): Task | undefined {
    const task = this.#at(instance, textAt(params, ['taskId']))
    if (task !== undefined && isOver(params)) task.isRunning = false
    return task
  }

  /** A request of a caller about its task was answered. */
  answered(exchange: Exchange, outcome: RawOutcome): void {
    const task = this.#named(exchange)
    if (task === undefined) return
    const isResult = exchange.facts.method === RESULT
    if (outcome.kind === 'result') {
      if (isResult || isOver(outcome.result)) task.isRunning = false
    } else if (isResult && outcome.kind === 'rpc-error' && task.isRunning) void checkStatus(task)
  }

  /** Whether a process does something for other callers in the background. */
  runsForOthers(instance: Instance, exchange: Exchange): boolean {
    const owner = ownerText(exchange)
    return [...this.#known].some(
      (task) => task.isRunning && task.instance === instance && task.owner !== owner,
    )
  }

  /** The task whose progress a server reports after the request has ended. */
  ofToken(instance: Instance, token: number): Task | undefined {
    return [...this.#known].find((task) => task.instance === instance && task.token === token)
  }

  /** Forgets the tasks of a process that has ended. */
  endInstance(instance: Instance): void {
    this.#ended.add(instance)
    for (const task of [...this.#known]) if (task.instance === instance) task.forget()
  }

  /** Cancels the tasks of a client. */
  revoke(client: string): void {
    for (const task of [...this.#known]) {
      if (task.client !== client) continue
      void ownRequest(task.instance, CANCEL, toJson({ taskId: task.id }))
      task.forget()
    }
  }

  /** Whether a request is about a task that its caller is not known to have begun at this process: that may be another's. */
  isForeign(exchange: Exchange, instance: Instance): boolean {
    const { method } = exchange.facts
    return method.startsWith(TASKS) && method !== LIST && this.#named(exchange)?.instance !== instance
  }

  /** The process that runs the task that a request is about. */
  instanceFor(exchange: Exchange): Instance | undefined {
    const isList = exchange.facts.method === LIST
    return (isList ? this.#ownOf(exchange)[0] : this.#named(exchange))?.instance
  }

  /** Leaves tasks of other callers out of a result of `tasks/list` of this process. */
  withOwn(exchange: Exchange, instance: Instance, outcome: RawOutcome): RawOutcome {
    if (exchange.facts.method !== LIST || outcome.kind !== 'result') return outcome
    if (isAmbiguous(outcome.result, ['tasks'])) return AMBIGUOUS
    const own = this.#ownOf(exchange).filter((task) => task.instance === instance)
    return { ...outcome, result: onlyOf(own, outcome.result) }
  }

  /** The caller's task that a request names. The newest, if several processes gave it one id. */
  #named(exchange: Exchange): Known | undefined {
    const { method, params } = exchange.facts
    const taskId = method.startsWith(TASKS) ? textAt(params, ['taskId']) : undefined
    if (taskId === undefined) return undefined
    return this.#ownOf(exchange).findLast(({ id }) => id === taskId)
  }

  #ownOf(exchange: Exchange): readonly Known[] {
    const { serverName } = exchange.facts
    const owner = ownerText(exchange)
    return [...this.#known].filter((task) => task.owner === owner && task.serverName === serverName)
  }
}

/** Asks for the status of a task. An error in place of its result may be that of the task, or of the request. */
async function checkStatus(task: Known): Promise<void> {
  const outcome = await ownRequest(task.instance, GET, toJson({ taskId: task.id }))
  if (outcome.kind === 'result' && isOver(outcome.result)) task.isRunning = false
}

/** Copies a token, so that the parameters around it are not kept. */
function keptToken(token: RawJson | undefined): RawJson | undefined {
  return token === undefined || token.length > MAX_TOKEN_BYTES ? undefined : Buffer.from(token)
}

/** Leaves other tasks out of a list. */
function onlyOf(own: readonly Known[], result: RawJson): RawJson {
  const list = valueAt(result, ['tasks'])
  if (list === undefined) return result
  const ids = new Set<string | undefined>(own.map(({ id }) => id))
  const shown = (arrayItems(list, MAX_LISTED) ?? [])
    .map(([start, end]) => list.subarray(start, end))
    .filter((item) => ids.has(textAt(item, ['taskId'])))
  const items = shown.map((item) => item.toString('utf8')).join(',')
  return replaceAt(result, ['tasks'], Buffer.from(`[${items}]`))
}

/** @param state of a task */
function isOver(state: RawJson | undefined): boolean {
  return OVER.includes(textAt(state, ['status']) ?? '')
}

function ownerText({ facts: { session, client } }: Exchange): string {
  return JSON.stringify(session === undefined ? [client] : [client, session.facts.id])
}
