import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A `security` that keeps one secret, as the one of macOS does for one entry; it notes its arguments. */
export class FakeKeychain {
  private readonly item: string;

  /** Puts it into a directory of stand-ins. */
  constructor(private readonly directory: string) {
    this.item = join(directory, 'keychain-item');
    const decode = `"${process.execPath}" -e 'console.log(Buffer.from(require("node:fs").readFileSync(process.argv[1], "utf8"), "hex").toString())'`;
    const script = [
      '#!/bin/sh',
      `printf '%s\\n' "$*" >> '${this.notes}'`,
      `[ -f '${this.lockFile}' ] && exit 36`,
      `if [ "$1" = -i ]; then read -r line; printf %s "\${line##*-X }" > '${this.item}'; exit 0; fi`,
      `[ -f '${this.item}' ] || exit 44`,
      `if [ "$1" = delete-generic-password ]; then rm '${this.item}'; exit 0; fi`,
      `${decode} '${this.item}'`,
    ];
    writeFileSync(join(directory, 'security'), `${script.join('\n')}\n`);
    chmodSync(join(directory, 'security'), 0o755);
  }

  put(secret: string): void {
    writeFileSync(this.item, Buffer.from(secret).toString('hex'));
  }

  lock(): void {
    writeFileSync(this.lockFile, '');
  }

  unlock(): void {
    rmSync(this.lockFile, { force: true });
  }

  /** The secret that is in it; undefined if there is none. */
  get secret(): string | undefined {
    return existsSync(this.item) ? Buffer.from(readFileSync(this.item, 'utf8'), 'hex').toString() : undefined;
  }

  /** The arguments of every call. */
  get calls(): string {
    return existsSync(this.notes) ? readFileSync(this.notes, 'utf8') : '';
  }

  private get notes(): string {
    return join(this.directory, 'security.calls');
  }

  private get lockFile(): string {
    return join(this.directory, 'keychain-locked');
  }
}
