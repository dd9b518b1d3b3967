import type { StatusSnapshot } from '../../src/model/status.js';
import { type ServicePlaces, servicePlaces } from '../../src/service/servicePlaces.js';
import { type Cleanup, EdgeWorld, type WorldOptions } from './EdgeWorld.js';
import { SimulatedLaunchd } from './launchd/SimulatedLaunchd.js';
import type { Place } from './program.js';
import { type CliResult, runCli } from './runCli.js';

/** An installation copies the whole program and node. */
const LONGEST_MS = 120_000;

/** A world whose user has a desktop session with a launchd, so that the agent can be installed as a service. */
export class MacWorld {
  readonly places: ServicePlaces;
  readonly place: Place;

  private constructor(
    readonly edge: EdgeWorld,
    readonly launchd: SimulatedLaunchd,
  ) {
    this.places = servicePlaces(edge.directory);
    const { cwd, env } = edge.place;
    this.place = { cwd, env: { ...env, ...launchd.env } };
  }

  static async open(context: Cleanup, options: WorldOptions = {}): Promise<MacWorld> {
    const edge = await EdgeWorld.open(context, options);
    const launchd = await SimulatedLaunchd.start(context, edge.directory);
    return new MacWorld(edge, launchd);
  }

  /** With the configuration of this world, wherever the verb takes one. */
  cli(verb: string, ...args: string[]): Promise<CliResult> {
    return runCli([verb, '--config', this.edge.configPath, ...args], this.place, LONGEST_MS);
  }

  /** The status of the agent. Throws unless one answers. */
  async status(): Promise<StatusSnapshot> {
    const { stdout } = await this.cli('status', '--json');
    return JSON.parse(stdout) as StatusSnapshot;
  }
}
