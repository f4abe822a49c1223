import { cleanText } from '@bridgekeeper/protocol'
import type { ServerEvent } from '../events.ts'
import type { System } from '../system.ts'
import { hide } from './secrets.ts'
import type { LifeEnd } from './server-life.ts'
import { repairedTools, type ToolList } from './tools.ts'

/** Times at which an unfinished start is reported. */
const STILL_STARTING_MS = [10_000, 30_000, 60_000, 120_000, 240_000, 480_000] as const
/** Limit of tool names in one event. */
const SHOWN_TOOLS = 8

type Tools = Extract<ToolList, { ok: true }>

export interface ReportsDeps {
  readonly name: string
  readonly system: System
  readonly startMs: number
  readonly mayInstall: boolean
  readonly secrets: readonly string[]
  readonly onEvent: (event: ServerEvent) => void
}

/** Reports the life of one server to the agent's user. */
export class ServerReports {
  readonly #deps: ReportsDeps

  constructor(deps: ReportsDeps) {
    this.#deps = deps
  }

  /** Reports the start now, and again while it lasts. @returns stops the reports */
  starting(): () => void {
    const { name, onEvent, system, startMs: limitMs, mayInstall } = this.#deps
    const report = (forMs: number) => onEvent({ type: 'server-starting', name, forMs, limitMs, mayInstall })
    report(0)
    const cancels = STILL_STARTING_MS.map((atMs) => system.schedule(atMs, () => report(atMs)))
    return () => {
      for (const cancel of cancels) cancel()
    }
  }

  ready(list: Tools): void {
    const { name, onEvent } = this.#deps
    onEvent({ type: 'server-ready', name, tools: list.tools.length, skippedTools: list.leftOut.length })
    this.#odd(list)
  }

  toolsChanged(list: Tools): void {
    this.#deps.onEvent({ type: 'server-tools-changed', name: this.#deps.name, tools: list.tools.length })
    this.#odd(list)
  }

  toolsUnread(why: string): void {
    const { name, secrets, onEvent } = this.#deps
    onEvent({ type: 'server-tools-unread', name, reason: cleanText(hide(why, secrets)) })
  }

  /** The catalog has no room for the server. */
  unlisted(reason: string): void {
    const { name, onEvent } = this.#deps
    onEvent({ type: 'server-failed', name, reason, stderr: '', ignoredLines: 0 })
  }

  ended({ reason, stderr, ignoredLines, readyForMs }: LifeEnd, retryInMs: number): void {
    const { name, onEvent } = this.#deps
    const type = readyForMs === undefined ? 'server-failed' : 'server-exited'
    onEvent({ type, name, reason, stderr, ignoredLines, retryInMs })
  }

  /** Emits one event per reason. */
  #odd({ tools: listed, leftOut }: Tools): void {
    const { name, secrets, onEvent } = this.#deps
    const odd = [...leftOut, ...repairedTools(listed)]
    for (const [why, tools] of Map.groupBy(odd, (tool) => tool.reason)) {
      const reason = cleanText(hide(why, secrets))
      const names = tools.slice(0, SHOWN_TOOLS).map((tool) => tool.name)
      onEvent({ type: 'server-tools-odd', name, reason, count: tools.length, names })
    }
  }
}
