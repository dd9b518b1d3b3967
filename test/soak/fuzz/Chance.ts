import { seeded } from '../../support/seeded.js';

/** Choices that are the same for the same seed. */
export class Chance {
  private readonly random: () => number;

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  /** The chance of one item of a run: any item can be made again without those before it. */
  static ofItem(seed: number, index: number): Chance {
    return new Chance(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35));
  }

  /** An integer from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.random() * count);
  }

  /** True once in so many times. */
  oneIn(count: number): boolean {
    return this.random() * count < 1;
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0];
  }

  /** `count` results of `make`. */
  times<T>(count: number, make: (index: number) => T): T[] {
    return Array.from({ length: count }, (_, index) => make(index));
  }
}
