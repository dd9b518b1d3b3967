/** A sender that no person has: three to six digits, or a name (alphanumeric sender ids have up to 11 characters). */
const SHORT_CODE = /^(?:\d{3,6}|(?=.*[a-z])[a-z0-9 _.&-]{2,11})(?:\(smsf[a-z_]*\))?$/i;
/** Messages of this length tell more than a code. */
const LONGEST = 400;
/** Four to eight digits, also as 123-456, 123 456 and G-123456; not part of a longer number, price or date. */
const CODE = /(?<![\d.,/€$£¥+-])(?:[A-Z]{1,3}-)?(?:\d{4,8}|\d{3}[- ]\d{3,4})(?![\d:/%€$£¥]|[.,-]\d)/u;
/** What such messages call it, in the languages that senders use most. */
const WORDS =
  /\b(?:code|pin|otp|passcode|password|verif\w*|authenticat\w*|log[ -]?in|sign[ -]?in|2fa|c[oó]digo|codice|kod[eu]?|passwort|einmal\w*|best[äa]tig\w*|mot de passe|contrase[ñn]a|senha|wachtwoord|kode|koodi|k[oó]d|şifre|doğrulama)\b|код|пароль|קוד|رمز|كود|कोड|验证码|驗證碼|校验码|認證碼|認証|確認コード|인증/iu;

/** Whether a text reads as a code for signing in, from a sender that is no person. For those that Messages did not mark. */
export function isOneTimeCode(text: string, sender: string | null): boolean {
  if (sender === null || !SHORT_CODE.test(sender) || text.length > LONGEST) return false;
  return CODE.test(text) && WORDS.test(text);
}
