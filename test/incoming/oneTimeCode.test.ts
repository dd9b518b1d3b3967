import { expect, test } from 'vitest';
import { isOneTimeCode } from '../../src/incoming/forwarding.js';

test.each([
  ['72000', 'Your code is 482913'],
  ['72000', 'code:482913'],
  ['24273', 'G-482913 is your Google verification code.'],
  ['Amazon', '123-456 is your Amazon OTP. Do not share it.'],
  ['WhatsApp', 'Ihr Code: 123 456. Geben Sie ihn nicht weiter'],
  ['729725', 'Usa el código 5512 para entrar'],
  ['106550', '【银行】您的验证码为 884213，请勿泄露'],
  ['72000(smsft)', 'PIN 0042'],
])('from %s: %s', (sender, text) => expect(isOneTimeCode(text, sender)).toBe(true));

test.each([
  ['a person', '+13105551234', 'the code is 482913'],
  ['an e-mail address', 'ann@example.com', 'the code is 482913'],
  ['no code in it', '72000', 'Your code was used. Was it you?'],
  ['no word for it', '72000', 'Your parcel 482913 arrives today'],
  ['a price', '72000', 'Use the code word SUMMER and pay €1999 or 1234.50'],
  ['a phone number', '72000', 'Lost your password? Call +18005551234'],
  ['a long letter', '72000', `code 482913 ${'and so on '.repeat(60)}`],
  ['nobody', null, 'code 482913'],
])('not: %s', (_what, sender, text) => expect(isOneTimeCode(text, sender)).toBe(false));
