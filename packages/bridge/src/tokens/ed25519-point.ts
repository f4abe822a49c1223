const P = 2n ** 255n - 19n
const D = modulo(-121665n * power(121666n, P - 2n))
const SQRT_MINUS_ONE = power(2n, (P - 1n) / 4n)
const SIGN_BIT = 0x80

interface Point {
  readonly x: bigint
  readonly y: bigint
}

/**
 * Whether these 32 bytes are a point of edwards25519, written in the one right way, and of large order. Whoever
 * has one of the eight points of small order as a key needs no private key: signatures that verify for
 * any message are easily found.
 * Source: RFC 8032 sections 5.1.3 and 5.1.7 (cofactor 8). Time does not matter: the key is public.
 */
export function isSoundPoint(encoded: Uint8Array): boolean {
  const point = decompressed(encoded)
  if (point === undefined) return false
  // Eight times a point of small order is the neutral element, (0, 1).
  const eightfold = doubled(doubled(doubled(point)))
  return eightfold.x !== 0n || eightfold.y !== 1n
}

function decompressed(encoded: Uint8Array): Point | undefined {
  const bytes = Uint8Array.from(encoded).reverse()
  const first = bytes[0]
  if (bytes.length !== 32 || first === undefined) return undefined
  const isOdd = (first & SIGN_BIT) !== 0
  bytes[0] = first & ~SIGN_BIT
  const y = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  if (y >= P) return undefined
  const numerator = modulo(y * y - 1n)
  const denominator = modulo(D * y * y + 1n)
  const x = root(modulo(numerator * power(denominator, P - 2n)))
  if (x === undefined || (x === 0n && isOdd)) return undefined
  return { x: (x & 1n) === (isOdd ? 1n : 0n) ? x : P - x, y }
}

/** P is 5 modulo 8. */
function root(square: bigint): bigint | undefined {
  const candidate = power(square, (P + 3n) / 8n)
  if (modulo(candidate * candidate) === square) return candidate
  const other = modulo(candidate * SQRT_MINUS_ONE)
  return modulo(other * other) === square ? other : undefined
}

/** Source: RFC 8032 section 5.1.4, the addition law, which is complete, of a point to itself. */
function doubled({ x, y }: Point): Point {
  const product = modulo(D * x * x * y * y)
  return {
    x: modulo(2n * x * y * power(1n + product, P - 2n)),
    y: modulo((y * y + x * x) * power(modulo(1n - product), P - 2n)),
  }
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = modulo(base)
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = modulo(result * square)
    square = modulo(square * square)
  }
  return result
}

function modulo(value: bigint): bigint {
  const rest = value % P
  return rest < 0n ? rest + P : rest
}
