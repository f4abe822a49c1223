/** A part of the product under mutation tests, and the fast tests that judge it. */
export interface MutationArea {
  readonly mutate: readonly string[]
  readonly tests: readonly string[]
  /** The run fails below this share of killed mutants, in percent. */
  readonly atLeast: number
}

const BRIDGE = 'packages/bridge'
const STANDALONE = 'packages/standalone'
const AGENT = 'packages/agent'

/** Areas by the name that `npm run mutate -- NAME` takes. */
export const MUTATION_AREAS: Readonly<Record<string, MutationArea>> = {
  guards: {
    mutate: [
      `${BRIDGE}/src/gates/{challenge,credential}.ts`,
      `${BRIDGE}/src/limiters/{rate-limit,sliding-window,lockout}.ts`,
      `${BRIDGE}/src/tokens/{tokens,jwt,access-tokens,recall,session-use}.ts`,
      `${BRIDGE}/src/security-log/{redact,secrets,line}.ts`,
      `${BRIDGE}/src/memoize.ts`,
    ],
    tests: [
      `${BRIDGE}/test/gates/{challenge,credential}.test.ts`,
      `${BRIDGE}/test/limiters/{rate-limit,sliding-window,lockout}.test.ts`,
      `${BRIDGE}/test/tokens*.test.ts`,
      `${BRIDGE}/test/{access-tokens,memoize}.test.ts`,
      `${BRIDGE}/test/security-log.{redact,lines}.test.ts`,
    ],
    atLeast: 90,
  },
  router: {
    mutate: [`${BRIDGE}/src/{router,directory}/**/*.ts`],
    tests: [`${BRIDGE}/test/{router,directory}/**/*.test.ts`],
    atLeast: 85,
  },
  exchanges: {
    mutate: [`${BRIDGE}/src/exchanges/**/*.ts`],
    tests: [`${BRIDGE}/test/exchanges/**/*.test.ts`],
    atLeast: 85,
  },
  collections: {
    mutate: [`${BRIDGE}/src/collections/*.ts`],
    tests: [`${BRIDGE}/test/collections/*.test.ts`],
    atLeast: 85,
  },
  connection: {
    mutate: [`${BRIDGE}/src/connection/**/*.ts`],
    tests: [`${BRIDGE}/test/connection/**/*.test.ts`, `${BRIDGE}/test/state.test.ts`],
    atLeast: 85,
  },
  admission: {
    mutate: [`${BRIDGE}/src/admission/**/*.ts`],
    tests: [`${BRIDGE}/test/admission/**/*.test.ts`, `${BRIDGE}/test/logins.test.ts`],
    atLeast: 85,
  },
  memory: {
    mutate: [`${BRIDGE}/src/memory.ts`],
    tests: [`${BRIDGE}/test/memory.test.ts`],
    atLeast: 85,
  },
  'adapters-sql': {
    // PostgreSQL is a separate process, which no mutant can wait for; its contract tests run in `npm test`.
    mutate: [`${STANDALONE}/src/adapters/sql/**/*.ts`, `!${STANDALONE}/src/adapters/sql/postgres.ts`],
    tests: [
      `${STANDALONE}/test/contract/{credentials,devices,keys-and-settings,limits,oauth,open-sqlite}.test.ts`,
      `${STANDALONE}/test/contract/{revocations,sessions,sqlite-details,users}.test.ts`,
    ],
    atLeast: 85,
  },
  accounts: {
    mutate: [`${STANDALONE}/src/{accounts,browser,passwords,web}/**/*.ts`],
    tests: [
      `${STANDALONE}/test/web/**/*.test.ts`,
      'test/accounts/{account,changes,entrance,login-steps,logins,passkey-answers,passkey-list,passwords,provider,provider-bounds,renewals,totp,users-page}.test.ts',
      'test/attack/login-{csrf,sessions}.test.ts',
    ],
    atLeast: 85,
  },
  'agent-link': {
    mutate: [`${AGENT}/src/link/**/*.ts`],
    tests: [`${AGENT}/test/link*.test.ts`, `${AGENT}/test/link/**/*.test.ts`],
    atLeast: 85,
  },
  'agent-servers': {
    // The reaper and its signals are real processes, which no mutant is in; their tests run in `npm test`.
    mutate: [`${AGENT}/src/servers/**/*.ts`, `!${AGENT}/src/servers/{groups,reaper,reaper-process}.ts`],
    tests: [`${AGENT}/test/servers/**/*.test.ts`],
    atLeast: 85,
  },
}
