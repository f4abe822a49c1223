/** Shorter values, such as "1" or "true", are no secrets and occur everywhere. */
const MIN_SECRET_CHARS = 6

/** Takes values that may be secret out of a text, also when only one line of one stands there. */
export function hide(text: string, secrets: readonly string[]): string {
  return hider(secrets)(text)
}

/** The same for many texts. */
export function hider(secrets: readonly string[]): (text: string) => string {
  const hidden = secrets
    .flatMap((secret) => [secret, ...secret.split('\n')])
    .filter((secret) => secret.length >= MIN_SECRET_CHARS)
    .toSorted((a, b) => b.length - a.length)
  return (text) => hidden.reduce((rest, secret) => rest.replaceAll(secret, '[hidden]'), text)
}
