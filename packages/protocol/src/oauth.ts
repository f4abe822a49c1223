/** OAuth client id of every agent. It needs no registration. */
export const AGENT_CLIENT_ID = 'bridgekeeper-agent'

interface Scope {
  /** Kinds of tokens that may have it: of OpenID Connect, for an enrolment, of an agent, or of a caller. */
  readonly of: 'login' | 'enrolment' | 'agent' | 'caller'
  /** Continues "It may" on the consent page. With `item`, it is a verb whose object is the item. */
  readonly permits: string
  /** The scope is written `<name>:<server>/<item>`, with `*` for any server or item. */
  readonly item?: string
}

const table = {
  openid: { of: 'login', permits: 'know who you are' },
  offline_access: { of: 'login', permits: 'stay connected' },
  'device:enroll': { of: 'enrolment', permits: 'add a machine to your account' },
  'agent:connect': { of: 'agent', permits: 'connect as one of your machines' },
  'tools:list': { of: 'caller', permits: 'see the names and descriptions of your tools' },
  'tools:call': { of: 'caller', permits: 'run', item: 'tool' },
  'prompts:read': { of: 'caller', permits: 'see and use the prompts of your servers' },
  'resources:read': { of: 'caller', permits: 'read the files and other resources of your servers' },
  'completion:use': { of: 'caller', permits: 'get suggestions for the arguments of prompts and resources' },
} as const satisfies Readonly<Record<string, Scope>>

export type ScopeName = keyof typeof table

/**
 * All scopes. Metadata, challenges, tokens and the consent page follow from this table; a gate checks each scope.
 * Source: RFC 6749 section 3.3.
 */
const scopes: Readonly<Record<ScopeName, Scope>> = table

const NAMES = Object.keys(table) as ScopeName[]

export const ENROL_SCOPE: ScopeName = 'device:enroll'
export const LOGIN_SCOPES = widest('login')
/** Scopes of a client that requests everything its user has. */
export const CALLER_SCOPES = widest('caller')
/** Everything that a user's own token allows. */
export const USER_SCOPES = widest('agent', 'caller')

/** Spelling of each scope of a user's token. */
export const SCOPE_FORMS = namesOf('agent', 'caller').map((name) => {
  const { item } = scopes[name]
  return item === undefined ? name : `${name}:<server>/<${item}>`
})

/** A scope and its row of the table. */
export interface ReadScope extends Scope {
  readonly name: ScopeName
  /** The text `<server>/<item>`, in any spelling; `undefined` for a scope without an item. */
  readonly target: string | undefined
}

/** Finds a scope in the table. @returns `undefined` for an unknown one */
export function readScope(text: string): ReadScope | undefined {
  const name = NAMES.find((known) =>
    scopes[known].item === undefined ? text === known : text.startsWith(`${known}:`),
  )
  if (name === undefined) return undefined
  const target = scopes[name].item === undefined ? undefined : text.slice(name.length + 1)
  return { ...scopes[name], name, target }
}

function namesOf(...tokens: readonly Scope['of'][]): ScopeName[] {
  return NAMES.filter((name) => tokens.includes(scopes[name].of))
}

function widest(...tokens: readonly Scope['of'][]): readonly string[] {
  return namesOf(...tokens).map((name) => (scopes[name].item === undefined ? name : `${name}:*/*`))
}
