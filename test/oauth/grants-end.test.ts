import { expect, test } from 'vitest'
import { partsOf } from '../support/forge.ts'
import { startOAuth } from '../support/oauth.ts'
import { ask, askToken, CALLBACK, connect, register } from '../support/oauth-client.ts'

test('[OAUTH.12] refuses a stored refresh token whose session is gone', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const tokens = await connect(await node.login('ann'), app)
  // Ended in the store only, as by another process that could not publish it.
  await node.stores.sessions.end(String(partsOf(tokens.access_token).claims.sid))
  const answer = await askToken(app.as, {
    grant_type: 'refresh_token',
    client_id: app.client.client_id,
    refresh_token: String(tokens.refresh_token),
  })
  expect(answer.body.error).toBe('invalid_grant')
})

test('[OAUTH.8] issues no token to a user suspended between approval and code', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await node.login('ann')
  const asked = await ask(app)
  const { left } = await person.submit(await person.visit(asked.url.href), { answer: 'allow' })
  await node.stores.users.setState('user_ann', 'suspended')
  const answer = await askToken(app.as, {
    grant_type: 'authorization_code',
    client_id: app.client.client_id,
    redirect_uri: CALLBACK,
    code: String(left?.searchParams.get('code')),
    code_verifier: asked.verifier,
  })
  expect(answer.body.error).toBe('invalid_grant')
})
