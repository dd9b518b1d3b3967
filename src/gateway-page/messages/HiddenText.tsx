import { counted } from '../../monitor-page/words.js';
import { useConsole } from '../gatewayConsole.js';

/** A text, or only how long it is while texts are hidden. */
export function HiddenText({ text, files }: { text: string | null; files: number }) {
  const { reveals } = useConsole();
  const attached = files === 0 ? '' : counted(files, 'file');
  if (text === null) return <>{attached}</>;
  const words = reveals ? text : `Hidden, ${counted([...text].length, 'character')}`;
  return <>{attached === '' ? words : `${words} · ${attached}`}</>;
}
