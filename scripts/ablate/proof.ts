import { type Ablation, attack, gate, text } from './ablation.ts'

/** Protections of a user's machine against a stolen token, at the bridge and on the machine itself. */
export const PROOF_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'layer 4 of v2: the signature is verified',
    edits: [gate('bridge/gates/proof.ts', 'isSignedBy', 'return true')],
    tests: attack('w01-proof', 'w01-relay'),
  },
  {
    gate: 'layer 4 of v2: keys that are retired',
    edits: [text('bridge/gates/proof.ts', 'retiresAtMs === undefined || retiresAtMs > nowMs', 'true')],
    tests: attack('w01-proof'),
  },
  {
    gate: 'layer 4 of v2: the TLS connection that is bound',
    edits: [gate('bridge/southbound/channel-binding.ts', 'exporterOf', 'return undefined')],
    tests: attack('w01-relay'),
  },
  {
    gate: 'layer 4 of v2: no way back to the echo',
    edits: [
      gate(
        'bridge/gates/proof-policy.ts',
        'proofPolicyGate',
        "return allow(version === 'v1' || deviceId === undefined ? 'echo' : 'proof')",
      ),
    ],
    tests: attack('w01-downgrade'),
  },
  {
    gate: 'layer 4 of v2: a key on two machines',
    edits: [gate('bridge/admission/device-verifier.ts', 'confirm', 'return allow(undefined)')],
    tests: attack('w01-copied-key'),
  },
  {
    gate: 'layer 4 of v2: proven again within ten minutes',
    edits: [text('bridge/connection/deadlines.ts', "this.#listener.onDue('renew')", '')],
    tests: attack('w09-renewal'),
  },
  {
    gate: 'layer 4 of v2: by when the next proof must have come',
    edits: [
      text(
        'bridge/connection/state.ts',
        'if (current.renewal === undefined) return [current, NOTHING]',
        'return [current, NOTHING]',
      ),
    ],
    tests: attack('w09-renewal'),
  },
  {
    gate: 'layer 4 of v2: a fresh token is of the same login',
    edits: [
      text(
        'bridge/admission/device-verifier.ts',
        'if (!isSame || resource !== before.resource)',
        'if (false)',
      ),
    ],
    tests: attack('w09-renewal'),
  },
  {
    gate: 'layer 4 of v2: so many tokens on one connection',
    edits: [
      text(
        'bridge/connection/proving.ts',
        'const strikesAtMs = withStrike(current.strikesAtMs, context.nowMs)',
        'const strikesAtMs: typeof current.strikesAtMs | undefined = []',
      ),
    ],
    tests: attack('w09-renewal'),
  },
  {
    gate: "agent: the bridge's own signature",
    edits: [
      {
        file: 'packages/agent/src/link/prover.ts',
        within: 'recognise',
        first: 'const first = this.#open.shift(); this.#recognised = true; return first',
      },
    ],
    tests: ['packages/agent/test/link.proof.test.ts'],
  },
  {
    gate: 'agent: no way back to the echo',
    edits: [
      {
        file: 'packages/agent/src/link/prover.ts',
        find: "if (asked === undefined) throw new AgentError('bridge_downgraded')",
        replace:
          "if (asked === undefined) return encode({ type: 'challenge_response', response: challenge })",
      },
      {
        file: 'packages/agent/src/link/link.ts',
        find: "if (this.#options.device !== undefined) throw new AgentError('bridge_downgraded')",
        replace: '',
      },
    ],
    tests: ['packages/agent/test/link.proof.test.ts'],
  },
  {
    gate: 'agent: the connection is stored before a call runs',
    edits: [
      {
        file: 'packages/agent/src/link/connection.ts',
        find: '.then(() => device.remember(connectionId))',
        replace: '',
      },
    ],
    tests: ['packages/agent/test/link.proof.test.ts'],
  },
]
