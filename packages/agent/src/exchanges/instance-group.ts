import { cleanText, textAt } from '@bridgekeeper/protocol'
import type { ExchangeEvent } from '../events.ts'
import type { Instance, InstanceFault, InstanceKey, Lease, ServerMessage } from '../servers/instance.ts'
import type { System } from '../system.ts'
import type { Asks } from './asks.ts'
import type { Exchange } from './exchange.ts'
import { InstanceUse, ownerOf, type Recipient } from './instance-use.ts'
import { LogLevels } from './log-levels.ts'
import type { ExchangeServer } from './server-port.ts'
import type { Session } from './session.ts'
import { Subscriptions } from './subscriptions.ts'
import type { Tasks } from './tasks.ts'

export interface GroupDeps {
  readonly system: System
  readonly server: ExchangeServer
  readonly key: InstanceKey
  readonly asks: Asks
  readonly tasks: Tasks
  readonly onEvent: (event: ExchangeEvent) => void
}

/** An instance that an exchange uses. */
export interface Lent {
  readonly use: InstanceUse
  release(): void
  /** Lets others use another instance while this exchange waits for its caller. */
  readonly park: Lease['park']
}

/** Length of a level in an event. */
const MAX_LEVEL_CHARS = 32
const TASK_STATUS = 'notifications/tasks/status'
const UPDATED = 'notifications/resources/updated'
const LIST_CHANGED = /^notifications\/(tools|prompts|resources)\/list_changed$/
/** Requests during which a server may ask. */
const ASKING: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read', 'tasks/result'])
const ASKING_TRAITS: readonly string[] = ['sampling', 'elicitation-form', 'elicitation-url']

/** The instances of one local server with the same key, and the sessions that use them. */
export class InstanceGroup {
  readonly sessions = new Set<Session>()
  readonly levels: LogLevels
  readonly subscriptions: Subscriptions
  readonly tasks: Tasks
  readonly #deps: GroupDeps
  readonly #uses = new Map<Instance, InstanceUse>()

  constructor(deps: GroupDeps) {
    this.#deps = deps
    this.tasks = deps.tasks
    const target = {
      all: () => [...this.#uses.keys()],
      shared: (client: string) => this.shared(client),
    }
    this.levels = new LogLevels(target, this.sessions)
    this.subscriptions = new Subscriptions(target, deps.system)
  }

  /** The instance for a request of this exchange. Waits if it must be alone there. */
  async lend(exchange: Exchange): Promise<Lent | InstanceFault> {
    const { server, key } = this.#deps
    const { client } = exchange.facts
    const ofTask = this.tasks.instanceFor(exchange)
    const known = ofTask && this.#uses.get(ofTask)
    if (known !== undefined) return { use: known, release: () => {}, park: () => {} }
    const mayAsk =
      ASKING.has(exchange.facts.method) && key.traits.some((trait) => ASKING_TRAITS.includes(trait))
    const found: Instance | Lease | InstanceFault = mayAsk
      ? await server.instances.lease(key, ownerOf(exchange), { client, signal: exchange.signal })
      : await server.instances.shared(key, client)
    if ('fault' in found) return found
    if ('instance' in found)
      return { use: this.#use(found.instance), release: () => found.release(), park: found.park }
    return { use: this.#use(found), release: () => {}, park: () => {} }
  }

  /** Handles what an instance sends before anybody uses it. */
  adopt(instance: Instance): void {
    this.#use(instance)
  }

  /** The instance that all exchanges share. @param client login that needs it */
  async shared(client: string): Promise<Instance | InstanceFault> {
    const found = await this.#deps.server.instances.shared(this.#deps.key, client)
    if (!('fault' in found)) this.#use(found)
    return found
  }

  get serverName(): string {
    return this.#deps.server.name
  }

  /** Whether the server learns of the clients' roots. */
  get passesRoots(): boolean {
    return this.#deps.server.roots.kind === 'client' && this.#deps.key.traits.includes('roots')
  }

  /** A session uses these instances from now on. */
  join(session: Session): void {
    if (this.sessions.has(session)) return
    this.sessions.add(session)
    this.subscriptions.restore(session)
    this.levels.changed()
  }

  leave(session: Session): void {
    this.sessions.delete(session)
    this.subscriptions.leave(session)
    this.levels.changed()
  }

  /** Its server is being stopped. The sessions keep their choices, for another group. */
  close(): void {
    this.sessions.clear()
    this.subscriptions.close()
  }

  #use(instance: Instance): InstanceUse {
    const known = this.#uses.get(instance)
    if (known !== undefined) return known
    const { server, asks } = this.#deps
    const use = new InstanceUse(instance, {
      ...{ asks, tasks: this.tasks, serverName: server.name },
      ...{ instances: server.instances, roots: server.roots },
      onNotification: (message) => this.#notification(use, message),
      onLog: (recipient, message) => this.#log(recipient, message),
      onlySession: () => (this.sessions.size === 1 ? [...this.sessions][0] : undefined),
    })
    this.#uses.set(instance, use)
    this.levels.replay(instance)
    this.subscriptions.replay(instance)
    void instance.ended.then(() => {
      this.#uses.delete(instance)
      this.subscriptions.instanceEnded(instance)
    })
    return use
  }

  #notification(use: InstanceUse, message: ServerMessage): void {
    if (LIST_CHANGED.test(message.method)) {
      for (const session of this.sessions) session.notify(message.raw)
    } else if (message.method === UPDATED) {
      for (const session of this.subscriptions.subscribers(message)) session.notify(message.raw)
    } else if (message.method === TASK_STATUS) {
      this.tasks.changed(use.instance, message)?.session?.notify(message.raw)
    } else use.recipientOf(message)?.send(message.raw)
  }

  /** [SESS.23] Passes a log message if exactly one client can have caused it, and wants its level. */
  #log(recipient: Recipient | undefined, message: ServerMessage): void {
    if (recipient === undefined) return this.#logOwn(message)
    const { session } = recipient
    if (session === undefined || this.levels.wants(session, message)) recipient.send(message.raw)
  }

  /** Reports a log message that no client may see. */
  #logOwn({ params }: ServerMessage): void {
    const { server, onEvent } = this.#deps
    const text = server.hideSecrets(textAt(params, ['data']) ?? '')
    onEvent({
      type: 'server-log',
      name: server.name,
      level: cleanText(textAt(params, ['level']) ?? '').slice(0, MAX_LEVEL_CHARS),
      text: cleanText(text),
    })
  }
}
