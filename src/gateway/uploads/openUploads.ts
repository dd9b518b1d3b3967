import type { Logger } from '../../logging/Logger.js';
import type { Clock } from '../../system/clock.js';
import type { Outbound } from '../../system/Outbound.js';
import type { UploadPlace } from '../gatewaySettings.js';
import { S3Uploads } from './S3Uploads.js';
import { UploadFiles } from './UploadFiles.js';
import type { UploadStore } from './UploadStore.js';

/** The store of uploads that is wanted; call `prepare` before anything is kept. */
export function openUploads(
  place: UploadPlace,
  surroundings: { clock: Clock; outbound: Outbound; log: Logger },
): UploadStore {
  return place.kind === 's3'
    ? new S3Uploads(place, surroundings)
    : new UploadFiles(place.path, surroundings.clock);
}
