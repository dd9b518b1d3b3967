const ZERO = 0x30;

/** Whether digits are a number with its check digit (Luhn; ISO/IEC 7812-1, annex B): from the right, each second one is doubled. */
export function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = digits.charCodeAt(index) - ZERO;
    const isDoubled = (digits.length - index) % 2 === 0;
    sum += isDoubled ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit;
  }
  return sum % 10 === 0;
}
