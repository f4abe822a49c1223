import { type Ablation, text } from './ablation.ts'

const CHUNKS = ['packages/protocol/test/chunks.test.ts']
const CONNECTION = ['packages/bridge/test/connection/payloads.test.ts']
const ANSWERS = ['packages/bridge/test/exchanges/large-answers.test.ts']
const LOADS = ['packages/bridge/test/limiters/user-load.test.ts']
const BODY = ['packages/bridge/test/body.test.ts']
const LINK = ['packages/agent/test/link.payloads.test.ts']
const LINES = ['packages/agent/test/servers/lines.test.ts']
const RESULTS = ['test/bridge/large-results.test.ts']

/** Protections of large payloads: windows, owners, memory. */
export const PAYLOAD_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'payloads: a sender keeps to the window',
    edits: [
      text('protocol/chunk-sender.ts', 'payload !== undefined && creditBytes > 0', 'payload !== undefined'),
      // Otherwise chunks without bytes would follow without end.
      text('protocol/chunk-sender.ts', 'limits.chunkBytes, outgoing.creditBytes)', 'limits.chunkBytes)'),
    ],
    tests: CHUNKS,
  },
  {
    gate: 'payloads: a receiver takes no more than the window',
    edits: [text('protocol/chunk-receiver.ts', ' || sizeBytes > incoming.creditBytes', '')],
    tests: CHUNKS,
  },
  {
    gate: 'payloads: a receiver takes no more than was announced',
    edits: [text('protocol/chunk-receiver.ts', ' || sizeBytes > incoming.leftBytes', '')],
    tests: CHUNKS,
  },
  {
    gate: 'payloads: credit stays within the window',
    edits: [text('protocol/chunk-sender.ts', 'outgoing.creditBytes + bytes > limits.windowBytes', 'false')],
    tests: CHUNKS,
  },
  {
    gate: 'payloads: few chunks wait for the network',
    edits: [text('protocol/chunk-sender.ts', 'this.#queuedBytes < QUEUED_CHUNK_BYTES', 'true')],
    tests: CHUNKS,
  },
  {
    gate: 'payloads: chunks have a size limit',
    edits: [text('protocol/chunk-frame.ts', ' || bytes.length > limits.chunkBytes', '')],
    tests: CHUNKS,
  },
  {
    gate: 'payloads: only a call that waits gets a large result',
    edits: [text('bridge/connection/agent-calls.ts', 'this.#pending.isWaiting(id)', 'true')],
    tests: CONNECTION,
  },
  {
    gate: 'payloads: an unreadable answer ends the payloads of its call',
    edits: [
      text(
        'bridge/connection/agent-calls.ts',
        'this.#link.drop(id)\n    this.#pending.settle(id, failed(new BridgeError(code)))',
        'this.#pending.settle(id, failed(new BridgeError(code)))',
      ),
    ],
    tests: ['packages/bridge/test/connection/payload-ends.test.ts'],
  },
  {
    gate: 'payloads: only a verified agent sends chunks',
    edits: [text('bridge/connection/connection.ts', " && this.version === 'v2' && this.isReady", '')],
    tests: CONNECTION,
  },
  {
    gate: 'payloads: a large result needs chunks in time',
    edits: [
      text(
        'bridge/connection/pending-calls.ts',
        '    this.touch(id)\n',
        '    call.deadlineAtMs = Infinity\n',
      ),
    ],
    tests: CONNECTION,
  },
  {
    gate: 'payloads: only an accepted exchange gets messages in chunks',
    edits: [
      text(
        'bridge/exchanges/carried-exchange.ts',
        'this.#reader === undefined || !this.#isAccepted',
        'this.#reader === undefined',
      ),
    ],
    tests: ANSWERS,
  },
  {
    gate: 'payloads: a payload ends no event',
    edits: [text('bridge/northbound/pieces.ts', 'if (options.isEvent) replaceLineEnds(bytes)', '')],
    tests: RESULTS,
  },
  {
    gate: 'payloads: credit waits for the network',
    edits: [
      text(
        'bridge/northbound/pieces.ts',
        'response.write(bytes, () => piece.used(bytes.length))',
        'response.write(bytes)\n      piece.used(bytes.length)',
      ),
    ],
    tests: RESULTS,
  },
  {
    gate: 'payloads: large bodies of one user',
    edits: [text('bridge/limiters/user-load.ts', 'this.#largeBytes + sizeBytes > MAX_LARGE_BYTES', 'false')],
    tests: LOADS,
  },
  {
    gate: 'payloads: large bodies of all users',
    edits: [
      text(
        'bridge/limiters/user-load.ts',
        'this.#ofAll.largeBytes + sizeBytes > MAX_ALL_LARGE_BYTES',
        'false',
      ),
    ],
    tests: LOADS,
  },
  {
    gate: 'payloads: large bodies in time',
    edits: [
      text(
        'bridge/limiters/user-load.ts',
        "if (waitMs > 0) return denyFor('rate_limit_exceeded', waitMs)\n    if (this.#largeBytes",
        'if (this.#largeBytes',
      ),
    ],
    tests: LOADS,
  },
  {
    gate: 'payloads: a body is counted before it is kept',
    edits: [text('bridge/northbound/body.ts', 'return reserve(limits.messageBytes)', 'return undefined')],
    tests: BODY,
  },
  {
    gate: 'payloads: results that wait at the agent',
    edits: [
      text('agent/link/payloads.ts', 'this.#sender.heldBytes + payloadBytes > MAX_SENDING_BYTES', 'false'),
    ],
    tests: LINK,
  },
  {
    gate: 'payloads: arguments that arrive at the agent',
    edits: [text('agent/link/payloads.ts', 'if (!this.#held.take(sizeBytes)) return false', '')],
    tests: LINK,
  },
  {
    gate: 'payloads: long lines of all servers',
    edits: [text('agent/servers/lines.ts', 'if (!this.#held.take(STEP_BYTES)) return false', '')],
    tests: LINES,
  },
]
