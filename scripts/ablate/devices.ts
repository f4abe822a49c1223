import { type Ablation, ALLOW, gate, text } from './ablation.ts'

const DEVICE_ATTACKS = ['packages/bridge/test/devices.attack.test.ts']

/** Protections of enrolment, and of the tokens and keys of devices. */
export const DEVICE_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'devices: a key is a sound point, and nothing besides',
    edits: [
      gate('bridge/tokens/ed25519-point.ts', 'isSoundPoint', 'return true'),
      text('bridge/tokens/device-key.ts', 'Object.keys(jwk).sort().join() !== MEMBERS[kty].join()', 'false'),
    ],
    tests: ['packages/bridge/test/device-key.test.ts'],
  },
  {
    gate: 'devices: a new key is proven',
    edits: [gate('bridge/tokens/device-assertion.ts', 'verifyKeyProof', ALLOW)],
    tests: DEVICE_ATTACKS,
  },
  {
    gate: 'devices: the key that was approved',
    edits: [text('bridge/devices/device-registry.ts', 'may.deviceKey !== key.keyId', 'false')],
    tests: DEVICE_ATTACKS,
  },
  {
    gate: 'devices: an approval is good once',
    edits: [text('bridge/devices/device-registry.ts', '!(await sessions.end(may.sessionId))', 'false')],
    tests: DEVICE_ATTACKS,
  },
  {
    gate: 'devices: an assertion is good once',
    edits: [gate('bridge/tokens/replay.ts', 'take', 'return true')],
    tests: DEVICE_ATTACKS,
  },
  {
    gate: 'devices: an assertion is for a minute, for one purpose and one bridge',
    edits: [
      gate('bridge/tokens/device-assertion.ts', 'isShort', 'return true'),
      gate('bridge/tokens/device-assertion.ts', 'isOurs', 'return true'),
    ],
    tests: DEVICE_ATTACKS,
  },
  {
    gate: 'devices: the current key alone names the next one',
    edits: [
      text(
        'bridge/devices/device-registry.ts',
        'old !== device.keys[0] || claims.generation !== generation',
        'false',
      ),
    ],
    tests: DEVICE_ATTACKS,
  },
  {
    gate: 'revocations: a session is published with its end',
    edits: [
      text(
        'standalone/adapters/sql/sessions.ts',
        "await publishWithin(transaction, { kind: 'session', id: sessionId }, system.nowMs())",
        '',
      ),
    ],
    tests: ['packages/standalone/test/contract/ending.test.ts'],
  },
  {
    gate: 'revocations: a device is published with its end',
    edits: [
      text(
        'standalone/adapters/sql/devices.ts',
        "await publishWithin(transaction, { kind: 'device', id: deviceId }, system.nowMs())",
        '',
      ),
    ],
    tests: ['packages/standalone/test/contract/ending.test.ts'],
  },
  {
    gate: 'revocations: a user is published with its end',
    edits: [
      text(
        'standalone/adapters/sql/users.ts',
        "await publishWithin(transaction, { kind: 'user', id: userId }, system.nowMs())",
        '',
      ),
    ],
    tests: ['packages/standalone/test/contract/ending.test.ts'],
  },
  {
    gate: 'devices: only a token without limits enrols for an app',
    edits: [text('bridge/device-endpoint.ts', 'return isLimited ?', 'return false ?')],
    tests: ['test/bridge/device-enrolment.test.ts'],
  },
  {
    gate: 'devices: guessing counts towards the block of the address',
    edits: [
      text(
        'bridge/devices/endpoint.ts',
        'if (!answer.allowed && isGuess(answer)) door.failed(visit.address)',
        '',
      ),
    ],
    tests: ['test/bridge/device-enrolment.test.ts'],
  },
  {
    gate: 'keychain: what others may touch is refused',
    edits: [
      {
        file: 'packages/agent/src/keychain/private-file.ts',
        find: 'if (HAS_MODES && (mode & OTHERS) !== 0)',
        replace: 'if (false)',
      },
      {
        file: 'packages/agent/src/keychain/private-file.ts',
        find: 'if ((mode & OTHERS_WRITE) !== 0)',
        replace: 'if (false)',
      },
    ],
    tests: ['packages/agent/test/keychain.test.ts'],
  },
  {
    gate: 'enrolment: a bridge speaks for itself only',
    edits: [
      { file: 'packages/agent/src/enrolment/discovery.ts', within: 'isWithin', first: 'return true' },
      {
        file: 'packages/agent/src/enrolment/discovery.ts',
        find: 'if (issuer !== bridge)',
        replace: 'if (false)',
      },
    ],
    tests: ['test/enrolment/enrolment.test.ts'],
  },
]
