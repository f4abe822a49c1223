import { type Ablation, text } from './ablation.ts'

function agent(...names: string[]): string[] {
  return names.map((name) => `packages/agent/test/${name}.test.ts`)
}

const FILES = ['packages/protocol/test/file-rights.test.ts', 'packages/standalone/test/file-rights.test.ts']

/** Limits of the agent's memory and output, and checks of its files. */
export const AGENT_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'agent: a secret that is cut in standard error is hidden',
    edits: [text('agent/servers/stderr-reader.ts', 'this.#hideCut(this.#tail', 'this.#hide(this.#tail')],
    tests: ['packages/agent/test/servers/pieces.test.ts'],
  },
  {
    gate: 'agent: a secret that is cut in an ignored line is hidden',
    edits: [
      text('agent/servers/stdio-transport.ts', 'this.#deps.hideCut(text.toString', 'String(text.toString'),
    ],
    tests: ['packages/agent/test/servers/life.test.ts'],
  },
  {
    gate: 'agent: one process at a time changes the keychain',
    edits: [text('agent/keychain/file-lock.ts', '; BEGIN EXCLUSIVE', '')],
    tests: agent('file-lock', 'keychain', 'agent-lock'),
  },
  {
    gate: 'cli: control characters in the log of serve on a terminal',
    edits: [text('cli/human-log.ts', 'const text = oneLine(String(value))', 'const text = String(value)')],
    tests: ['packages/cli/test/human-log.test.ts'],
  },
  {
    gate: 'cli: a second agent with the same keys',
    edits: [
      text('agent/keychain/agent-lock.ts', 'lock.close())', 'lock?.close())'),
      text('agent/keychain/agent-lock.ts', 'if (lock !== undefined) return', 'return'),
    ],
    tests: ['packages/agent/test/agent-lock.test.ts'],
  },
  {
    gate: 'standalone: a lock outlasts a second attempt of its process',
    edits: [text('standalone/adapters/process-lock.ts', "'wx'", "'a'")],
    tests: ['packages/standalone/test/process-lock.test.ts'],
  },
  {
    gate: "agent: unread answers to a local server's requests",
    edits: [
      text('agent/servers/server-input.ts', 'this.#answerBytes + line.length > MAX_ANSWER_BYTES', 'false'),
    ],
    tests: agent('servers.calls'),
  },
  {
    gate: 'agent: calls queued for a local server that does not read',
    edits: [text('agent/servers/server-input.ts', 'this.#pipe.queuedBytes() <= MAX_REQUEST_BYTES', 'true')],
    tests: agent('servers.calls'),
  },
  {
    gate: 'agent: large answers for a local server that does not read',
    edits: [text('agent/servers/server-input.ts', 'if (!this.hasRoom) return false', '')],
    tests: agent('servers/server-input'),
  },
  {
    gate: 'agent: notifications for a local server that does not read',
    edits: [text('agent/servers/stdio-transport.ts', 'if (!this.#input.hasRoom) return', '')],
    tests: agent('servers/instances'),
  },
  {
    gate: 'agent: messages of a local server without a reader',
    edits: [text('agent/servers/inbox.ts', 'this.#kept.length < this.#maxKept', 'true')],
    tests: agent('servers/instances'),
  },
  {
    gate: 'agent: bytes of messages without a reader',
    edits: [text('agent/servers/inbox.ts', ' && this.#keptBytes <= MAX_KEPT_BYTES', '')],
    tests: agent('servers/instances'),
  },
  {
    gate: 'agent: processes of a local server',
    edits: [text('agent/servers/instance-table.ts', 'this.#count < MAX_INSTANCES || ', 'true || ')],
    tests: agent('servers/instances', 'servers/leases'),
  },
  {
    gate: 'processes: no login keeps all of them from another',
    edits: [text('agent/servers/instance-table.ts', '?? this.#surplus(client)', '')],
    tests: ['packages/agent/test/servers/leases.test.ts'],
  },
  {
    gate: 'agent: parked processes of a local server',
    edits: [text('agent/servers/instance-table.ts', 'this.#parked.size > MAX_PARKED', 'false')],
    tests: agent('servers/parking'),
  },
  {
    gate: 'agent: requests that wait for a lease',
    edits: [text('agent/servers/lease-pool.ts', 'this.#queue.length >= MAX_WAITING', 'false')],
    tests: agent('servers/leases'),
  },
  {
    gate: 'agent: one owner of a process that may ask',
    edits: [text('agent/servers/lease-pool.ts', '!this.#uses.has(instance)', 'true')],
    tests: agent('servers/leases'),
  },
  {
    gate: 'agent: a list that changes all the time',
    edits: [text('agent/servers/server-life.ts', 'await pause(system, RELIST_MS, signal)', '')],
    tests: agent('servers.tools'),
  },
  {
    gate: 'agent: announcements of a list that changes all the time',
    edits: [text('agent/servers/announcements.ts', 'recent !== undefined', 'false')],
    tests: agent('servers/announcements'),
  },
  {
    gate: 'agent: number of remembered announcements',
    edits: [text('agent/servers/announcements.ts', 'this.#recent.size < MAX_DIFFERENT', 'true')],
    tests: agent('servers/announcements'),
  },
  {
    gate: 'agent: length of a remembered announcement',
    edits: [text('agent/servers/announcements.ts', ' || message.raw.length > MAX_BYTES', '')],
    tests: agent('servers/announcements'),
  },
  {
    gate: 'agent: rights of a file of variables',
    edits: [text('agent/config/env-file.ts', 'exposure !== undefined', 'false')],
    tests: agent('config.entries'),
  },
  {
    gate: 'agent: bytes of a file of variables',
    edits: [text('agent/config/env-file.ts', 'found.size > MAX_BYTES', 'false')],
    tests: agent('config.entries'),
  },
  {
    gate: 'agent: bytes of a list',
    edits: [text('agent/servers/tools.ts', 'listBytes > MAX_LIST_BYTES', 'false')],
    tests: agent('servers.tools'),
  },
  {
    gate: 'agent: bytes of a message over several lines',
    edits: [text('agent/servers/message-reader.ts', ' || block.bytes > this.#maxBytes', '')],
    tests: agent('servers/message-reader'),
  },
  {
    gate: 'agent: places at which a message is looked for among noise',
    edits: [text('agent/servers/message-reader.ts', ' && tries < 2 * maxTries', '')],
    tests: agent('servers/message-reader'),
  },
  {
    gate: 'agent: places at which any object is looked for among noise',
    edits: [text('agent/servers/message-reader.ts', 'tries < maxTries ?', 'true ?')],
    tests: agent('servers/message-reader'),
  },
  {
    gate: 'agent: an answer to a notification ends no request',
    edits: [text('agent/servers/raw-calls.ts', 'const isOfNote = this.#notes > 0', 'const isOfNote = false')],
    tests: agent('servers/raw-calls'),
  },
  {
    gate: 'agent: the rest of a torn answer is not shown',
    edits: [text('agent/servers/message-reader.ts', 'this.#isTorn ? NO_TEXT : text', 'text')],
    tests: agent('servers/message-reader'),
  },
  {
    gate: 'agent: a log line in JSON ends no request',
    edits: [text('agent/servers/raw-calls.ts', "members.has('jsonrpc')\n", 'true\n')],
    tests: agent('servers/raw-calls'),
  },
  {
    gate: 'agent: answers that are not UTF-8',
    edits: [text('agent/servers/rpc-answer.ts', '!isUtf8(line)', 'false')],
    tests: agent('servers/raw-calls'),
  },
  {
    gate: 'directory: requests that wait for servers to start',
    edits: [
      text('bridge/directory/watchers.ts', 'this.#waiting.get(userId).length >= MAX_START_WAITS', 'false'),
    ],
    tests: ['packages/bridge/test/directory/directory.test.ts'],
  },
  {
    gate: 'agent: frames that a bridge does not read',
    edits: [text('agent/link/socket.ts', 'this.#queuedFrames <= MAX_QUEUED_FRAMES && ', '')],
    tests: agent('link.limits'),
  },
  {
    gate: 'agent: bytes that a bridge does not read',
    edits: [text('agent/link/socket.ts', ' && webSocket.bufferedAmount <= MAX_QUEUED_BYTES', '')],
    tests: agent('link.limits'),
  },
  {
    gate: 'agent: arguments of running calls',
    edits: [
      text('agent/link/running-calls.ts', ' || this.#argumentBytes + argumentBytes > MAX_ARGUMENT_BYTES', ''),
    ],
    tests: agent('link.limits'),
  },
  {
    gate: 'agent: frames kept before the connection is recorded',
    edits: [text('agent/link/early-frames.ts', ' || this.#bytes > MAX_EARLY_BYTES', '')],
    tests: agent('link.proof'),
  },
  {
    gate: 'agent: events of one kind',
    edits: [text('agent/event-sampler.ts', 'kind.passed < MAX_EVENTS', 'true')],
    tests: agent('event-sampler'),
  },
  {
    gate: 'agent: size of the config file',
    edits: [text('agent/config/read-config.ts', 'bytes.length <= MAX_CONFIG_BYTES', 'true')],
    tests: agent('config.file'),
  },
  {
    gate: 'agent: half a version of the config file',
    edits: [text('agent/config/config-file.ts', "if (isSuspect) return 'suspect'", '')],
    tests: agent('config.file'),
  },
  {
    gate: 'agent: a server starts again after the end of its last process',
    edits: [text('agent/servers/server-set.ts', '?.start(this.#ending.get(name))', '?.start()')],
    tests: agent('servers.replace'),
  },
  {
    gate: 'agent: requests to a server that is stopped by an edit',
    edits: [
      text(
        'agent/exchanges/open-exchanges.ts',
        "this.#running.stopOf(name, failedEnd('server_exited', ENTRY_CHANGED))",
        '',
      ),
    ],
    tests: agent('exchanges/replaced'),
  },
  {
    gate: 'agent: who may write the config file',
    edits: [text('agent/config/read-config.ts', 'exposure === undefined', 'true')],
    tests: agent('config'),
  },
  {
    gate: 'files: who owns them',
    edits: [text('protocol/file-rights.ts', 'uid !== ownUid && uid !== ROOT', 'false')],
    tests: FILES,
  },
  {
    gate: 'files: what others may do',
    edits: [text('protocol/file-rights.ts', '(mode & refusedBits) === 0', 'true')],
    tests: FILES,
  },
  {
    gate: 'files: secrets',
    edits: [
      text(
        'standalone/data/file-rights.ts',
        'const exposure = secretExposure',
        'return; const exposure = secretExposure',
      ),
    ],
    tests: ['packages/standalone/test/file-rights.test.ts'],
  },
  {
    gate: 'files: the TLS key',
    edits: [
      text('standalone/http/certificate.ts', 'readSecretFileAsync(keyFile)', "readFile(keyFile, 'utf8')"),
    ],
    tests: ['test/tls/listener.test.ts'],
  },
  {
    gate: 'files: data folder, database and log',
    edits: [text('standalone/data/file-rights.ts', 'rights && trustExposure', 'undefined && trustExposure')],
    tests: ['packages/standalone/test/file-rights.test.ts'],
  },
  {
    gate: 'agent: processes that left their group, by mark',
    edits: [text('agent/servers/family.ts', '(mark !== undefined && marks.has(mark))', 'false')],
    tests: agent('servers.processes'),
  },
  {
    gate: "agent: settings of the agent in an entry's inheritEnv",
    edits: [text('agent/servers/environment.ts', 'names.filter((name) => !OWN.test(name))', 'names')],
    tests: agent('servers/pieces'),
  },
  {
    gate: 'agent: servers that a list of the file excludes',
    edits: [text('agent/config/server-lists.ts', '!excluded.includes(name) && ', '')],
    tests: agent('config.switches'),
  },
  {
    gate: 'agent: servers that a list of the file does not allow',
    edits: [text('agent/config/server-lists.ts', ' && allowed.every((names) => names.includes(name))', '')],
    tests: agent('config.switches'),
  },
  {
    gate: 'agent: odd switches of an entry',
    edits: [
      text('agent/config/read-entry.ts', "if (onOff !== 'on') throw", "if (onOff !== 'on' && false) throw"),
    ],
    tests: agent('config.switches'),
  },
  {
    gate: 'agent: the text of an unknown error of the token source',
    edits: [
      text(
        'agent/link/link.ts',
        'error instanceof TokenUnavailable || error instanceof Unreachable',
        'error instanceof Error',
      ),
    ],
    tests: agent('link.reconnect'),
  },
  {
    gate: 'agent: arguments that cmd.exe would act upon',
    edits: [text('agent/servers/windows-launch.ts', 'words.some((word) => UNSAFE.test(word))', 'false')],
    tests: agent('servers/windows-launch'),
  },
  {
    gate: 'agent: servers that start at a time',
    edits: [text('agent/servers/start-gate.ts', 'this.#starting < AT_ONCE', 'true')],
    tests: agent('servers/start'),
  },
  {
    gate: 'agent: own machine around a proxy',
    edits: [text('agent/proxy/choice.ts', 'isOwnMachine(host) || ', '')],
    tests: agent('proxy'),
  },
  {
    gate: 'settings: a switch takes 1 and 0 alone',
    edits: [text('standalone/config/setting.ts', "z.enum(['1', '0'])", "z.string().transform(() => '1')")],
    tests: ['packages/cli/test/flags.test.ts', 'packages/standalone/test/setting.test.ts'],
  },
  {
    gate: 'settings: a value that may hold a password is not repeated',
    edits: [text('standalone/config/setting.ts', 'isPrivate === true', 'false')],
    tests: ['packages/standalone/test/setting.test.ts'],
  },
  {
    gate: 'settings: an empty file of a secret',
    edits: [text('standalone/config/setting.ts', "if (text !== '') return text", 'return text')],
    tests: ['packages/standalone/test/setting.test.ts'],
  },
]
