import { expect } from 'vitest'
import type { FakeInstance, Received } from './fake-server.ts'

/** The reader of one stream: messages that it must get, and those that it got. */
export class Reader {
  /** Every exchange that read the stream. */
  readonly ids: string[] = []
  expected: string[] = []
  readonly got: string[] = []
  /** The exchange that reads now. */
  current: string | undefined
  /** Messages before the first number. */
  base = 0
  /** Whether the stream cannot be read on. */
  isGone = false

  reads(id: string): void {
    this.ids.push(id)
    this.current = id
  }

  take(text: string, number: number | undefined): void {
    const at = this.got.length
    expect({ text, number }).toEqual({ text: this.expected[at], number: at - this.base + 1 })
    this.got.push(text)
  }

  /** Forgets the last messages, as a client does that is cut off before it gets them. */
  lose(count: number): void {
    this.got.length = Math.max(this.base, this.got.length - count)
  }

  /** Ends the stream. Messages that were not read are lost. */
  close(): void {
    this.isGone = true
    this.current = undefined
    this.expected = [...this.got]
  }
}

/** A call of a tool in a session. */
export class Call extends Reader {
  readonly session: Client
  /** JSON-RPC id. Other sessions use the same ones. */
  readonly callerId: number
  readonly process: FakeInstance
  readonly received: Received
  /** Whether the server or the client ended it. */
  isOver = false

  constructor(session: Client, callerId: number, process: FakeInstance, received: Received) {
    super()
    this.session = session
    this.callerId = callerId
    this.process = process
    this.received = received
  }
}

/** An MCP session, and the choices of its client. */
export class Client {
  readonly id: string
  readonly client: string
  standing = new Reader()
  calls = 0
  level: Level | undefined
  isSubscribed = false
  /** Whether the agent knows the session. */
  isBegun = false
  isDeleted = false

  constructor(id: string, client: string) {
    this.id = id
    this.client = client
  }
}

export const LEVELS = ['debug', 'info', 'error'] as const
export type Level = (typeof LEVELS)[number]

/** A request of the server. */
export interface Question {
  readonly text: string
  readonly process: FakeInstance
  /** The server's id. Other processes use the same ones. */
  readonly serverId: number
  /** The call whose client must be asked, if there is one. */
  readonly call: Call | undefined
  clientId: string | undefined
  isPending: boolean
  /** The answer that the server must get. */
  outcome: 'result' | 'declined' | 'refused' | undefined
}

/** Compares the answers that a process got with those that it must have got. */
function checkAnswers(process: FakeInstance, questions: readonly Question[]): void {
  const wanted = questions.flatMap(({ serverId, outcome, text }) =>
    outcome === undefined ? [] : [`${serverId} ${outcome}${outcome === 'refused' ? '' : ` ${text}`}`],
  )
  const answers = process.answered.map(({ id, member, value }) => {
    const { text, code, message } = value as { text?: string; code?: number; message?: string }
    if (member === 'result') return `${id} result ${text}`
    return code === DECLINED ? `${id} declined ${message}` : `${id} refused`
  })
  expect(answers.toSorted()).toEqual(wanted.toSorted())
}

/** Error code of a client that declines. */
export const DECLINED = -1

/** Requests of all processes, in their order. */
export class Questions {
  readonly #all: Question[] = []

  /** @param position counted from the newest */
  at(position: number): Question | undefined {
    return this.#all.at(-1 - position)
  }

  /** @param of the call whose client must be asked */
  add(text: string, process: FakeInstance, of: Call | undefined): Question {
    const question: Question = {
      ...{ text, process, call: of, clientId: undefined },
      serverId: this.#of(process).length + 1,
      isPending: of !== undefined,
      outcome: of === undefined ? 'refused' : undefined,
    }
    this.#all.push(question)
    return question
  }

  /** @returns questions that waited for the client of a call */
  refuse(of: Call): readonly Question[] {
    const refused = this.#all.filter(({ call, isPending }) => call === of && isPending)
    for (const question of refused) {
      question.isPending = false
      question.outcome = 'refused'
    }
    return refused
  }

  /** No process waits any more. */
  drop(): void {
    for (const question of this.#all) question.isPending = false
  }

  /** Checks that a question always has the same id for its client. */
  named(text: string | undefined, clientId: string | undefined): void {
    const question = this.#all.find((each) => each.text === text)
    if (question === undefined) throw new Error(`Request ${clientId} of the server comes as "${text}".`)
    question.clientId ??= clientId
    expect(question.clientId).toBe(clientId)
  }

  /** Checks all answers that a process got. */
  check(process: FakeInstance): void {
    checkAnswers(process, this.#of(process))
  }

  #of(process: FakeInstance): readonly Question[] {
    return this.#all.filter((question) => question.process === process)
  }
}

/** Parts of a message that tell which one it is. */
export interface Read {
  readonly id?: string
  readonly method?: string
  readonly params?: { readonly text?: string; readonly requestId?: string; readonly progressToken?: string }
  readonly result?: { readonly text: string }
}
