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

/** How the agent is: what is wrong first, then the link, the numbers, what was sent, and who looks. */
export function Overview({ presence }: { presence: OwnPresence }) {
  const sends = useAnswer(useOperator().client, 'sends.statistics', {}, ['sends']);
  return (
    <div class="grid">
      <Problems />
      <LinkCard />
      <Figures />
      <VitalSigns />
      <SendsCard answer={sends} />
      <LatencyCard answer={sends} />
      <PausesCard />
      <WatchersCard presence={presence} />
      <NotificationsCard />
    </div>
  );
}
