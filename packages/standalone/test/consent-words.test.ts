import { CALLER_SCOPES } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { inWords } from '../src/oauth/consent-page.ts'

test('[OAUTH.14] describes an app’s rights for the server it asks for, or for all', () => {
  expect(inWords('tools:call:*/*')).toBe('run every tool of your servers')
  expect(inWords('tools:call:*/*', 'my files')).toBe('run every tool of my files')
  expect(inWords('tools:call:*/read')).toBe('run the tool read of any server')
  expect(inWords('tools:call:*/read', 'my files')).toBe('run the tool read of my files')
  expect(inWords('tools:call:my%20files/read', 'my files')).toBe('run the tool read of my files')
})

test('[OAUTH.14] has words for every scope that a client may request', () => {
  expect(CALLER_SCOPES.map((scope) => inWords(scope))).toEqual([
    'see the names and descriptions of your tools',
    'run every tool of your servers',
    'see and use the prompts of your servers',
    'read the files and other resources of your servers',
    'get suggestions for the arguments of prompts and resources',
  ])
})
