import { checkSetting, SETTINGS_BY_KEY } from '../../config/settings.js';
import { ask } from './ask.js';

/** What a first run has to know of a person, or of the flags of a script. */
export interface Questions {
  /** `usual` is what is in force; Enter keeps it. */
  backendUrl(usual: string | undefined): Promise<string>;
  userPhone(usual: string | undefined): Promise<string>;
  secret(): Promise<string>;
  /** Whether the secret goes into the Keychain instead of `.env`. */
  inKeychain(): Promise<boolean>;
  /** No unless the person says yes. */
  mayReplace(what: string): Promise<boolean>;
  /** What was shown to be about to change. */
  mayChange(): Promise<boolean>;
  /** Yes unless the person says no. */
  install(): Promise<boolean>;
}

/** Asks the person at the terminal. Each question rejects at Ctrl-C: see `hasLeft`. */
export const personAtTerminal: Questions = {
  backendUrl: async (usual) =>
    (
      await ask.text(
        'The URL of the backend:',
        judge('backend.url', (text) => text),
        usual,
      )
    ).trim(),
  userPhone: async (usual) =>
    plainPhone(
      await ask.text(
        'The number that this Mac sends from, such as +13105550100 (without one, the e-mail address of the account):',
        judge('edge.user_phone', plainPhone),
        usual,
      ),
    ),
  secret: async () =>
    (
      await ask.hidden(
        'The secret shared with the backend (EDGE_SECRET):',
        (text) => text.trim() !== '' || 'Paste the secret that the backend has.',
      )
    ).trim(),
  inKeychain: () => ask.yesOrNo('Keep it in the Keychain instead of .env?', 'no'),
  mayReplace: (what) => ask.yesOrNo(`${what} Replace it?`, 'no'),
  mayChange: () => ask.yesOrNo('Change this?', 'yes'),
  install: () => ask.yesOrNo('Install it now, so that it starts at each login?', 'yes'),
};

/** A number as people write it, without what only parts it. */
export function plainPhone(text: string): string {
  if (text.includes('@')) return text.trim().toLowerCase();
  return text.trim().replace(/[\s().-]/g, '');
}

/** Why a value may not stand for the setting; undefined if it may. */
export function unfit(key: string, value: string): string | undefined {
  const setting = SETTINGS_BY_KEY.get(key);
  if (setting === undefined) return undefined;
  const checked = checkSetting(setting, value);
  return checked.kind === 'fits' ? undefined : `Expected ${checked.expected}.`;
}

function judge(key: string, form: (text: string) => string): (text: string) => true | string {
  return (text) => unfit(key, form(text.trim())) ?? true;
}
