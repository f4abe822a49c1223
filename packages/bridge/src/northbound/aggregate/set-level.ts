import { bytesAt, objectMembers, type RawJson } from '@bridgekeeper/protocol'
import type { Directory } from '../../directory/directory.ts'
import { capabilityOf } from '../../directory/exchange-server.ts'
import type { RpcRequest } from '../message.ts'
import type { MessageContext } from '../message-context.ts'
import type { Search } from './addresses.ts'
import type { Gatherer } from './gatherer.ts'
import { openingFor } from './openings.ts'

const METHOD = 'logging/setLevel'
const EMPTY_RESULT: RawJson = Buffer.from('{}')

/** Sets the log level of a session at every server that logs. */
export class SetLevel {
  readonly #directory: Directory
  readonly #gatherer: Gatherer

  constructor(directory: Directory, gatherer: Gatherer) {
    this.#directory = directory
    this.#gatherer = gatherer
  }

  /** Answers with an error only if every server that answers refuses the level. */
  async answer(
    { open, reply }: MessageContext,
    { id }: RpcRequest,
    { message, facts }: Search,
  ): Promise<void> {
    const logging = this.#directory
      .exchangeServers(open.caller.userId)
      .filter((server) => capabilityOf(server, 'logging') !== undefined)
    const answers = await this.#gatherer.each(open, logging, ({ name }, ask) =>
      ask(openingFor(name, METHOD, undefined, message, facts)),
    )
    if (open.hasEnded) return
    const errors = answers.flatMap((answer) => (answer === undefined ? [] : [errorIn(answer)]))
    const [first] = errors
    if (first !== undefined && !errors.includes(undefined)) reply.error(id, first)
    else reply.result(id, EMPTY_RESULT)
    open.sent()
  }
}

function errorIn(answer: RawJson): RawJson | undefined {
  return bytesAt(answer, objectMembers(answer)?.get('error'))
}
