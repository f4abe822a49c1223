/** A part of the product under mutation tests, and the fast tests that judge it. */
export interface MutationArea {
  readonly mutate: readonly string[]
  readonly tests: readonly string[]
  /** The run fails below this share of killed mutants, in percent. */
  readonly atLeast: number
}

const SERVER = 'packages/server'
const AGENT = 'packages/agent'

/** Areas by the name that `npm run mutate -- NAME` takes. */
export const MUTATION_AREAS: Readonly<Record<string, MutationArea>> = {
  guards: {
    mutate: [
      `${SERVER}/src/gates/{rate-limit,sliding-window,challenge,lockout,credential}.ts`,
      `${SERVER}/src/identity/{tokens,jwt,own-jwt,access-tokens,recall,session-use}.ts`,
      `${SERVER}/src/security-log/{redact,secrets,line,memo}.ts`,
    ],
    tests: [
      `${SERVER}/test/gates/{rate-limit,sliding-window,challenge,lockout,credential}.test.ts`,
      `${SERVER}/test/tokens*.test.ts`,
      `${SERVER}/test/access-tokens.test.ts`,
      `${SERVER}/test/security-log.{redact,lines}.test.ts`,
    ],
    atLeast: 90,
  },
  router: {
    mutate: [`${SERVER}/src/router/**/*.ts`],
    tests: [`${SERVER}/test/router/**/*.test.ts`],
    atLeast: 85,
  },
  connection: {
    mutate: [`${SERVER}/src/connection/**/*.ts`],
    tests: [`${SERVER}/test/connection/**/*.test.ts`, `${SERVER}/test/{state,deadline-queue}.test.ts`],
    atLeast: 85,
  },
  admission: {
    mutate: [`${SERVER}/src/admission/**/*.ts`],
    tests: [`${SERVER}/test/admission/**/*.test.ts`, `${SERVER}/test/logins.test.ts`],
    atLeast: 85,
  },
  'adapters-memory': {
    mutate: [`${SERVER}/src/adapters/*.ts`, `${SERVER}/src/adapters/memory/**/*.ts`],
    tests: [`${SERVER}/test/adapters/**/*.test.ts`],
    atLeast: 85,
  },
  'adapters-sql': {
    // PostgreSQL is a process of its own, which no mutant can wait for; its contract tests run in `npm test`.
    mutate: [`${SERVER}/src/adapters/sql/**/*.ts`, `!${SERVER}/src/adapters/sql/postgres.ts`],
    tests: [
      `${SERVER}/test/contract/{credentials,devices,keys-and-settings,limits,oauth,open-sqlite}.test.ts`,
      `${SERVER}/test/contract/{revocations,sessions,sqlite-details,users}.test.ts`,
    ],
    atLeast: 85,
  },
  accounts: {
    mutate: [`${SERVER}/src/accounts/**/*.ts`],
    tests: [`${SERVER}/test/accounts/**/*.test.ts`, 'test/accounts/{account,logins,passwords,totp}.test.ts'],
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
