import type { ConformanceRun, PlayedCredentials } from '../ConformanceRun.js';
import type { RequestAnswer } from '../request.js';
import { ACK_PATH, picture, postAck, postMessage } from './bodies.js';
import { register } from './registration.js';

/** What an agent posts to, each with a body as it would send it: a refusal can be for nothing but the credentials. */
export interface PostedEndpoint {
  /** In the ids of checks: `auth.<name>.signed`. That of syncs is `http`, as it was when there was no other. */
  readonly name: string;
  readonly path: string;
  /** The check that says whether it is there and accepts an agent. */
  readonly signed: string;
  /** What does not work without it. */
  readonly without: string;
  /** With the right credentials unless others are given. */
  readonly post: (run: ConformanceRun, credentials?: PlayedCredentials) => Promise<RequestAnswer>;
}

export const ENDPOINTS: readonly PostedEndpoint[] = [
  {
    name: 'register',
    path: '/edge/register',
    signed: 'register.answer',
    without: 'this backend has no registration, which is allowed',
    post: register,
  },
  {
    name: 'http',
    path: '/edge/sync',
    signed: 'auth.http.signed',
    without:
      'an agent without a socket gets no commands, and events are delivered only by a socket that accepts them',
    post: (run, credentials) => run.sync({ ...(credentials && { credentials }) }),
  },
  {
    name: 'message',
    path: '/edge/message',
    signed: 'auth.message.signed',
    without: 'messages of people are not answered',
    // One that must be refused takes no number: a gap would look like a message that is still to come.
    post: (run, credentials) => {
      const sequence = credentials === undefined ? run.nextSequence() : 1;
      return postMessage(run, run.fresh(), sequence, { ...(credentials && { credentials }) });
    },
  },
  {
    name: 'ack',
    path: ACK_PATH,
    signed: 'auth.ack.signed',
    without: 'acks are sent by the socket and in syncs, which is allowed',
    post: (run, credentials) =>
      postAck(run, run.ack(`cmd_conformance_${run.fresh()}`), { ...(credentials && { credentials }) }),
  },
  {
    name: 'upload',
    path: '/photo/upload',
    signed: 'auth.upload.signed',
    without: 'images are not delivered; set attachments.upload: false in the agents of this backend',
    post: (run, credentials) =>
      run.post('/photo/upload', picture(run), { ...(credentials && { credentials }) }),
  },
];
