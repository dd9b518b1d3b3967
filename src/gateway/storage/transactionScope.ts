import { AsyncLocalStorage } from 'node:async_hooks';
import { EdgeError } from '../../errors.js';

interface Scope {
  isOpen: boolean;
}

/**
 * Knows whether code runs within a transaction of this database: one that started another, or read past it, would wait for itself.
 */
export class TransactionScope {
  private readonly scopes = new AsyncLocalStorage<Scope>();

  /** Runs `work` as the inside of a transaction, which ends with the promise. */
  async inside<T>(work: () => Promise<T>): Promise<T> {
    const scope: Scope = { isOpen: true };
    try {
      return await this.scopes.run(scope, work);
    } finally {
      scope.isOpen = false;
    }
  }

  /** Throws EdgeError `internal` inside of a transaction that has not ended. */
  mustBeOutside(): void {
    if (this.scopes.getStore()?.isOpen !== true) return;
    throw new EdgeError(
      'internal',
      'The work of a transaction may use nothing of the database but its transaction.',
    );
  }
}
