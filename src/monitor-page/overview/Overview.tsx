import type { OwnPresence } from '../frame/usePresence.js';
import { useAnswer } from '../hooks.js';
import { useOperator } from '../operator.js';
import { Figures } from './Figures.js';
import { LatencyCard } from './LatencyCard.js';
import { LinkCard } from './LinkCard.js';
import { NotificationsCard } from './NotificationsCard.js';
import { PausesCard } from './PausesCard.js';
import { Problems } from './Problems.js';
import { SendsCard } from './SendsCard.js';
import { VitalSigns } from './VitalSigns.js';
import { WatchersCard } from './WatchersCard.js';
import { WorkCards } from './WorkCards.js';

/** How the agent is: what is wrong first, then the link, the numbers, what was sent, and who looks. */
export function Overview({ presence }: { presence: OwnPresence }) {
  const { client } = useOperator();
  const sends = useAnswer(client, 'sends.statistics', {}, ['sends']);
  const work = useAnswer(client, 'work.statistics', {}, ['chat_message', 'link']);
  const since = work.state === 'loading' ? undefined : work.value?.since;
  return (
    <div class="grid">
      <Problems />
      <LinkCard />
      <Figures />
      <VitalSigns />
      <SendsCard answer={sends} since={since === undefined ? 0 : Date.parse(since)} />
      <LatencyCard answer={sends} />
      <WorkCards answer={work} />
      <PausesCard />
      <WatchersCard presence={presence} />
      <NotificationsCard />
    </div>
  );
}
