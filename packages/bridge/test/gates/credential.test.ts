import { expect, test } from 'vitest'
import { credentialGate, isCookieName, isSentAsDpop, isSentInHeader } from '../../src/gates/credential.ts'
import { deny } from '../../src/gates/verdict.ts'

type CredentialSources = Parameters<typeof credentialGate>[0]

const gate = (sources: Partial<CredentialSources>) =>
  credentialGate({ url: '/mcp', authorization: [], cookie: [], ...sources })

test.each([
  '/mcp?token=abc',
  '/mcp?x=1&access_token=abc',
  '/api/mcp-ws?accessToken=abc',
  '/mcp?JWT=abc',
  '/mcp?authorization=Bearer%20abc',
])('[AUTH.1] refuses a token in the URL: %s', (url) => {
  expect(gate({ url })).toMatchObject({ code: 'token_in_url' })
  expect(gate({ url, authorization: ['Bearer abc'] })).toMatchObject({ code: 'token_in_url' })
})

test('[AUTH.1] accepts other queries', () => {
  expect(gate({ url: '/mcp?tokens=3&next=token', authorization: ['Bearer abc'] })).toMatchObject({
    allowed: true,
  })
})

test.each<[string, Partial<CredentialSources>]>([
  ['two Authorization headers', { authorization: ['Bearer abc', 'Bearer abc'] }],
  ['header and cookie', { authorization: ['Bearer abc'], cookie: ['accessToken=abc'] }],
  ['the cookie twice in one header', { cookie: ['accessToken=abc; accessToken=def'] }],
  ['the cookie in two headers', { cookie: ['accessToken=abc', 'x=1; accessToken=abc'] }],
])('[AUTH.2] refuses %s', (_what, sources) => {
  expect(gate(sources)).toMatchObject({ code: 'token_ambiguous' })
})

test.each<[string, Partial<CredentialSources>, string]>([
  ['a bearer token', { authorization: ['Bearer a.b-c_d~e+f/g=='] }, 'a.b-c_d~e+f/g=='],
  ['a bearer token, letter case aside', { authorization: ['bearer abc'] }, 'abc'],
  [
    "an app's own bearer token, which may have other characters",
    { authorization: ['Bearer 1|ab:c'] },
    '1|ab:c',
  ],
  ['a bearer token after more spaces', { authorization: ['Bearer   abc'] }, 'abc'],
  ['the cookie among others', { cookie: ['theme=dark; accessToken=a.b.c=; x=y'] }, 'a.b.c='],
])('[AUTH.3] accepts %s', (_what, sources, value) => {
  expect(gate(sources)).toEqual({ allowed: true, value })
})

test.each<[string, Partial<CredentialSources>, string]>([
  ['nothing', {}, 'token_missing'],
  ['an empty cookie', { cookie: ['accessToken='] }, 'token_missing'],
  ['a cookie of another name', { cookie: ['token=abc; xaccessToken=abc'] }, 'token_missing'],
  ['another scheme', { authorization: ['Basic abc'] }, 'token_invalid'],
  ['an empty bearer', { authorization: ['Bearer '] }, 'token_invalid'],
  ['spaces inside', { authorization: ['Bearer a b'] }, 'token_invalid'],
  ['a tab inside', { authorization: ['Bearer a\tb'] }, 'token_invalid'],
  ['a tab at its end', { authorization: ['Bearer ab\t'] }, 'token_invalid'],
  ['a letter beyond ASCII', { authorization: ['Bearer \u00e9a'] }, 'token_invalid'],
  ['a control character', { authorization: ['Bearer a\u007f'] }, 'token_invalid'],
])('[AUTH.3] refuses %s', (_what, sources, code) => {
  expect(gate(sources)).toMatchObject({ allowed: false, code })
})

test('[AUTH.3] describes the expected header', () => {
  expect(gate({ authorization: ['Bearer: abc'] })).toEqual(
    deny('token_invalid', 'The Authorization header is not "Bearer <token>" or "DPoP <token>".'),
  )
})

test('[AUTH.3] reads the cookie under a name that the app chose', () => {
  const cookie = ['accessToken=abc; session=def']
  expect(credentialGate({ url: '/mcp', authorization: [], cookie }, 'session')).toEqual({
    allowed: true,
    value: 'def',
  })
  expect(['session', '__Host-id', 'a b', 'a=b', 'a;b', ''].filter(isCookieName)).toEqual([
    'session',
    '__Host-id',
  ])
})

test.each<[string, readonly string[], boolean]>([
  ['DPoP', ['DPoP abc'], true],
  ['DPoP, letter case aside', ['dpop abc'], true],
  ['Bearer', ['Bearer abc'], false],
  ['Bearer, with the other word after it', ['Bearer DPoP abc'], false],
  ['no header', [], false],
])('[DPOP.5] recognizes a token sent as %s', (_what, authorization, isDpop) => {
  expect(isSentAsDpop({ authorization })).toBe(isDpop)
})

test('[ADDR.7] distinguishes a token in a header from one in a cookie', () => {
  expect(isSentInHeader({ authorization: ['Bearer x'] })).toBe(true)
  expect(isSentInHeader({ authorization: [] })).toBe(false)
})
