import { agentHome, KEY_STORE_CHOICES, Keychain, type KeyStoreChoice, realSystem } from '@bridgekeeper/agent'
import { UsageError } from './usage-error.ts'

/** What this machine keeps of its bridges. @throws UsageError */
export function keychain(): Keychain {
  return new Keychain({ home: agentHome(process.env), keyStore: keyStore(), system: realSystem })
}

/** `BRIDGEKEEPER_KEY_STORE`: where keys are kept that are made from now on. @throws UsageError */
function keyStore(): KeyStoreChoice {
  const text = process.env.BRIDGEKEEPER_KEY_STORE || 'auto'
  const choice = KEY_STORE_CHOICES.find((one) => one === text)
  if (choice !== undefined) return choice
  throw new UsageError(
    `BRIDGEKEEPER_KEY_STORE is ${JSON.stringify(text)}.`,
    `Choose one of ${KEY_STORE_CHOICES.join(', ')}.`,
  )
}
