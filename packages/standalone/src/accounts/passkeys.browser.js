// @ts-nocheck: it runs in a browser, whose types this project does not load.
/**
 * Passkeys on the account pages, whose other parts need no script. Without this script, or in a browser
 * without passkeys, the buttons stay hidden.
 */
const canPasskeys =
  window.PublicKeyCredential?.parseRequestOptionsFromJSON !== undefined &&
  window.PublicKeyCredential.parseCreationOptionsFromJSON !== undefined

/** Posts to the bridge. @throws Error with the bridge's text if it refuses */
async function ask(element, path, value) {
  const response = await fetch(element.dataset.base + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      'x-form-token': element.dataset.token,
    },
    body: JSON.stringify(value),
  })
  const answer = await response.json()
  if (response.ok) return answer
  throw new Error(`${answer.error.message} ${answer.error.next}`)
}

function showNotice(text) {
  const notice = document.createElement('p')
  notice.className = 'alert bad'
  notice.setAttribute('role', 'alert')
  notice.textContent = text
  document.getElementById('notice').replaceChildren(notice)
}

/** Disables the button while the browser asks its user. Closing the browser's prompt is reported as a cancellation. */
function onClick(button, run) {
  button.addEventListener('click', async (event) => {
    event.preventDefault()
    button.disabled = true
    try {
      await run()
    } catch (error) {
      if (error.name === 'NotAllowedError') showNotice('No passkey was used. Try again.')
      else if (error.name === 'InvalidStateError')
        showNotice('This device has a passkey for this account already.')
      else showNotice(error.message)
    } finally {
      button.disabled = false
    }
  })
}

const login = document.getElementById('passkey')
if (login !== null && canPasskeys) {
  login.hidden = false
  onClick(document.getElementById('passkey-login'), async () => {
    const { options, begun } = await ask(login, '/login/passkey/begin', {})
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options)
    const credential = await navigator.credentials.get({ publicKey })
    const { returnTo } = login.dataset
    const { goTo } = await ask(login, '/login/passkey', { begun, returnTo, credential: credential.toJSON() })
    location.assign(login.dataset.base + goTo)
  })
}

const add = document.getElementById('passkey-add')
if (add !== null && canPasskeys) {
  add.hidden = false
  document.getElementById('passkey-none').hidden = true
  const textIn = (name) => add.querySelector(`[name=${name}]`)?.value ?? ''
  onClick(document.getElementById('passkey-create'), async () => {
    const { options, begun } = await ask(add, '/account/passkeys/begin', {
      currentPassword: textIn('currentPassword'),
    })
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options)
    const credential = await navigator.credentials.create({ publicKey })
    const { goTo } = await ask(add, '/account/passkeys/add', {
      begun,
      name: textIn('name'),
      credential: credential.toJSON(),
    })
    location.assign(add.dataset.base + goTo)
  })
}
