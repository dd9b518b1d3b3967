import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { PostgresServer } from './PostgresServer.mjs';
import { OWNER_VARIABLE, PLACE_VARIABLE, postgresPlace } from './postgresPlace.js';
import { until } from './until.js';

/** A PostgreSQL database for the tests of one file. */
export interface TestPostgres {
  /** The URL of an empty schema of its own. */
  freshUrl(): Promise<string>;
  /** Runs statements as an administrator, as text, one after the other. */
  admin(...statements: readonly string[]): Promise<void>;
  /** The port of the server on `host`. */
  readonly port: number;
  readonly host: string;
}

/**
 * To be called at the top of a file: a fresh database on a real server, which is dropped at the end. The server is the one of
 * TEST_DATABASE_URL (its user may create databases); without that, one that the first file starts for the whole run. Fails if there is none.
 */
export function testPostgres(): TestPostgres {
  const name = `edge_test_${randomBytes(6).toString('hex')}`;
  let server: URL | undefined;
  const url = () => {
    if (server === undefined) throw new Error('The database is there only within a test.');
    const database = new URL(server);
    database.pathname = name;
    return database;
  };
  beforeAll(async () => {
    server = new URL(await serverUrl());
    await execute(server.href, `CREATE DATABASE ${name} ENCODING 'UTF8' TEMPLATE template0`);
  });
  afterAll(async () => {
    if (server !== undefined) await execute(server.href, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  });
  return {
    freshUrl: () => freshSchema(url()),
    admin: (...statements) => execute(url().href, ...statements),
    get port() {
      return Number(url().port || 5432);
    },
    get host() {
      return url().hostname;
    },
  };
}

/** A server for one test alone, which it may crash: the test ends it. */
export function ownPostgres(): Promise<PostgresServer> {
  return PostgresServer.start(postgresPlace());
}

async function freshSchema(database: URL): Promise<string> {
  const schema = `test_${randomBytes(6).toString('hex')}`;
  await execute(database.href, `CREATE SCHEMA ${schema}`);
  const url = new URL(database);
  url.searchParams.set('options', `-csearch_path=${schema}`);
  return url.href;
}

async function execute(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Workers race for the first start; the others wait for what the first one has made. */
async function serverUrl(): Promise<string> {
  const given = process.env.TEST_DATABASE_URL;
  if (given !== undefined) return given;
  const place = process.env[PLACE_VARIABLE];
  if (place === undefined) throw new Error('vitest.config.ts names no place for PostgreSQL.');
  const file = join(place, 'url');
  while (!existsSync(file)) {
    try {
      const server = await PostgresServer.start(place, Number(process.env[OWNER_VARIABLE]));
      writeFileSync(file, server.urlOf(), { mode: 0o600 });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      await until(
        () => existsSync(file) || !existsSync(place),
        () => 'the PostgreSQL server that another file starts',
      );
    }
  }
  return readFileSync(file, 'utf8');
}
