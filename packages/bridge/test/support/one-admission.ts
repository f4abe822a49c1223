import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { Admission, type AdmissionOptions, type AdmissionParts } from '../../src/admission/admission.ts'
import { DurableBlocks } from '../../src/admission/durable-blocks.ts'
import { Fingerprints } from '../../src/admission/fingerprints.ts'
import { Revoker } from '../../src/admission/revoker.ts'
import { originPolicy } from '../../src/gates/front-door.ts'
import { TrustedProxies } from '../../src/gates/request-facts.ts'
import { allow, type Verdict } from '../../src/gates/verdict.ts'
import { memoryFingerprints } from '../../src/memory.ts'
import type { Block, BlockStore, Principal } from '../../src/ports.ts'
import type { SecurityEvent } from '../../src/security-log/events.ts'

export const HOST = 'bridge.example.com'
const CHANNEL = { offeredSubprotocols: '', exporter: () => undefined }
export const CAPS = { inAll: 100, perAddress: 50, perUser: 2, handshakes: 60, handshakeWindowMs: 60_000 }

/** Parts of a request that a test chooses. */
export interface Asked {
  readonly from?: string
  readonly token?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly url?: string
  readonly encrypted?: boolean
}

/** An admission whose environment the test controls. Tokens are `userId/sessionId/deviceId`; a leading `!` makes one invalid, with the code after it. */
export function setUp(options: Partial<AdmissionOptions> = {}, parts: Partial<AdmissionParts> = {}) {
  const system = new FakeSystem()
  const events: SecurityEvent[] = []
  const saved: Block[] = []
  const log = {
    logSecurityEvent: (event: SecurityEvent) => void events.push(event),
    afterWritten: () => {},
    writable: true,
  }
  const store: BlockStore = {
    all: async () => saved,
    held: async () => saved,
    put: async (block) => void saved.push(block),
    remove: async () => true,
  }
  const recalled = new Map<string, Principal>()
  const authenticator = {
    recall: (token: string) => recalled.get(token),
    authenticate: async (token: string): Promise<Verdict<Principal>> => {
      asked.push(token)
      if (token.startsWith('!')) return { allowed: false, code: token.slice(1) as 'token_invalid' }
      const [userId = '', sessionId = '', deviceId] = token.split('/')
      return allow({ userId, sessionId, expiresAtMs: 9, ...(deviceId !== undefined && { deviceId }) })
    },
  }
  const asked: string[] = []
  const revoker = new Revoker(undefined, authenticator, log)
  const blocks = new DurableBlocks(store, system, () => {})
  const fingerprints = new Fingerprints(
    { policy: 'observe', key: Buffer.alloc(32) },
    memoryFingerprints(),
    log,
    system,
  )
  const admission = new Admission(
    {
      transport: { mode: 'required', loopbackPlain: false },
      proxies: new TrustedProxies([]),
      origins: originPolicy([`https://${HOST}`]),
      cookie: 'accessToken',
      publicUrls: [`https://${HOST}`],
      proofs: { production: false, allowEcho: false },
      connections: CAPS,
      ...options,
    },
    { authenticator, revoker, blocks, fingerprints, log, system, ...parts },
  )
  const request = ({
    from = '203.0.113.1',
    token,
    headers = {},
    url = '/x?note=secret',
    encrypted = true,
  }: Asked) => ({
    method: 'POST',
    url,
    rawHeaders: Object.entries({
      Host: HOST,
      'User-Agent': 'a program',
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...headers,
    }).flat(),
    socket: { remoteAddress: from, encrypted },
  })
  const caller = async (given: Asked) => codeOf(await admission.admitCaller(request(given)))
  const agent = (given: Asked, version: 'v1' | 'v2' = 'v2') =>
    admission.admitAgent(request(given), version, CHANNEL)
  const named = (name: string) => events.filter(({ event }) => event === name)
  return { system, admission, request, caller, agent, events, named, saved, recalled, asked, revoker, blocks }
}

/** `in`, or the code of the refusal. */
export function codeOf(verdict: Verdict<unknown>): string {
  return verdict.allowed ? 'in' : verdict.code
}
