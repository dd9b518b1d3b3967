import type { BackendOptions } from './BackendOptions.js';
import { BackendTime } from './BackendTime.js';
import { HttpClient } from './HttpClient.js';
import { Identity } from './Identity.js';
import { Reachability } from './Reachability.js';
import { Registration } from './Registration.js';
import type { Timings } from './timings.js';

interface AccessPorts {
  readonly options: BackendOptions;
  readonly registration: Timings['registration'];
  /** HTTP turned from 401/403 to 2xx. */
  readonly onAuthorised: () => void;
  readonly onRegistered: () => void;
  /** One message was refused by 401 or 403: whether our credentials are, another request has to show. */
  readonly onDoubt: () => void;
}

/** Who we are towards the backend and how it is asked: id, credentials, registration, HTTP, whether it answers. */
export class Access {
  readonly time: BackendTime;
  readonly http: HttpClient;
  readonly registration: Registration;
  readonly identity: Identity;
  readonly reachability: Reachability;

  constructor(ports: AccessPorts) {
    const { config: settings, secrets, version, clock, log, store } = ports.options;
    this.reachability = new Reachability(clock);
    this.time = new BackendTime(clock);
    this.http = new HttpClient({
      onDate: (headers) => this.time.note(headers),
      clock,
      base: () => settings().httpBase,
      headers: (url, anonymous) => this.identity.headers(url, anonymous),
      onOutcome: ({ path, isAboutOne = false }, outcome) => {
        const noted = this.reachability.note(path, outcome, isAboutOne);
        if (noted === 'authorised') ports.onAuthorised();
        if (noted === 'in_doubt') ports.onDoubt();
      },
    });
    this.registration = new Registration({
      http: this.http,
      meta: store.meta,
      settings,
      secrets,
      version,
      clock,
      log,
      ...ports.registration,
      onRegistered: ports.onRegistered,
    });
    const agentId = () => this.registration.agentId();
    const registeredToken = () => this.registration.token();
    this.identity = new Identity({ settings, secrets, version, clock, log, agentId, registeredToken });
  }

  /** Why we are blocked and what to do, for a person. */
  blockedWords(): string {
    const missing = this.identity.problem();
    if (missing) return `${missing.message} ${missing.remedy}`;
    return `the backend refused our credentials. ${this.refusalRemedy()}`;
  }

  refusalRemedy(): string {
    return this.identity.remedy(this.time.skewMs);
  }
}
