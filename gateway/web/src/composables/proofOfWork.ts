// Proof of work for captchas: eight numbers, each of which makes SHA-256 of salt, part and number begin with zero bits.

export interface Work {
  salt: string;
  bits: number;
  parts: number;
}

const BITS_OF_PARTS = 3;
const MOST_BITS_OF_A_PART = 28;

/** The solution: the numbers, each as eight hexadecimal digits. `onPart` is called after each of them. */
export function solve({ salt, bits, parts }: Work, onPart: (done: number) => void = () => undefined): string {
  const zeros = Math.min(Math.max(0, bits - BITS_OF_PARTS), MOST_BITS_OF_A_PART);
  let solution = "";
  for (let part = 0; part < parts; part++) {
    solution += search(salt + hex(part), zeros);
    onPart(part + 1);
  }
  return solution;
}

/** The first word of the SHA-256 of a text of at most 55 letters; no other word is needed. Own code, for crypto.subtle is missing
 * on plain HTTP and takes a promise for each of a hundred thousand hashes. */
function search(prefix: string, zeros: number): string {
  const block = new Int32Array(64);
  const text = prefix + "00000000";
  for (let at = 0; at < text.length; at++) block[at >> 2]! |= text.charCodeAt(at) << (24 - (at & 3) * 8);
  block[text.length >> 2]! |= 0x80 << (24 - (text.length & 3) * 8);
  block[15] = text.length * 8;
  const high = prefix.length >> 2;
  for (let number = 0; ; number++) {
    block[high] = fourDigits(number >>> 16);
    block[high + 1] = fourDigits(number & 0xffff);
    if (zeros === 0 || firstWord(block) >>> (32 - zeros) === 0) return hex(number);
  }
}

/** Four hexadecimal digits as the letters of one word. */
function fourDigits(value: number): number {
  return (DIGITS[value >>> 12]! << 24) | (DIGITS[(value >>> 8) & 15]! << 16) | (DIGITS[(value >>> 4) & 15]! << 8) | DIGITS[value & 15]!;
}

/** The first word of the hash of one block, whose words from 16 on are overwritten. */
function firstWord(w: Int32Array): number {
  for (let at = 16; at < 64; at++) {
    const early = w[at - 15]!;
    const late = w[at - 2]!;
    const s0 = turned(early, 7) ^ turned(early, 18) ^ (early >>> 3);
    const s1 = turned(late, 17) ^ turned(late, 19) ^ (late >>> 10);
    w[at] = (w[at - 16]! + s0 + w[at - 7]! + s1) | 0;
  }
  let a = START[0]!,
    b = START[1]!,
    c = START[2]!,
    d = START[3]!;
  let e = START[4]!,
    f = START[5]!,
    g = START[6]!,
    h = START[7]!;
  for (let at = 0; at < 64; at++) {
    const s1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
    const first = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[at]! + w[at]!) | 0;
    const s0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
    const second = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  return (START[0]! + a) | 0;
}

function turned(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

function hex(number: number): string {
  return (number >>> 0).toString(16).padStart(8, "0");
}

const DIGITS = Int32Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
const PRIMES = firstPrimes(64);
/** The constants of FIPS 180-4: the first 32 bits of the fractional parts of roots of the first primes. */
const START = Int32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
const ROUNDS = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));

function fraction(root: number): number {
  return ((root - Math.floor(root)) * 2 ** 32) | 0;
}

function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let number = 2; primes.length < count; number++) {
    if (primes.every((prime) => number % prime)) primes.push(number);
  }
  return primes;
}
