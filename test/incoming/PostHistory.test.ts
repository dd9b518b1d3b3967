import { expect, test } from 'vitest';
import { PostHistory } from '../../src/incoming/posts.js';
import type { PostResult } from '../../src/model/incoming.js';
import { FakeClock } from '../support/FakeClock.js';

const refused: PostResult = { kind: 'rejected', status: 422, detail: 'HTTP 422' };
const answered: PostResult = { kind: 'answered', body: {} };

test('failures of one person are distinguished from those of several, and an answer ends them all', () => {
  const clock = new FakeClock();
  const history = new PostHistory(clock);
  const began = clock.now();
  for (let time = 0; time < 3; time += 1) {
    history.note('ann', refused, true);
    clock.advance(1_000);
  }
  expect(history.failing).toMatchObject({ posts: 3, conversations: 1, since: began, lastAt: began + 2_000 });
  history.note('bob', refused, true);
  expect(history.failing).toMatchObject({ posts: 4, conversations: 2, isRejected: true });
  history.note('ann', answered, true);
  expect(history.failing).toBeNull();
  history.note('ann', refused, true);
  expect(history.failing).toMatchObject({ posts: 1, conversations: 1 });
});
