/**
 * Delivers recovered backups. A large response takes disk and a transfer of the blob store, so few are made at a time, and
 * one client has no more than a share of them.
 */
import { ServiceError } from "../../errors.ts";
import type { ResponsesInFlight } from "../../limits/responses-in-flight.ts";
import { IN_MEMORY_BYTES } from "../../runtime/sizes.ts";
import type { Services } from "../../services.ts";
import { type Connection, contextOf } from "../request-context.ts";
import { createResponseFiles, type ResponseFile } from "./response-files.ts";
import { type RetrievedBackup, retrievedBackupResponse } from "./retrieved-backup.ts";

export interface BackupDelivery {
  /**
   * Begins the delivery of a backup to the client that sent `request`.
   *
   * @param backup `size` in bytes.
   * @throws TooManyRequests and `service_unavailable` as {@link ResponsesInFlight.admit}.
   */
  begin(
    request: Request,
    backup: { readonly backupId: string; readonly size: number },
  ): {
    /**
     * Makes the response.
     *
     * @throws ServiceError `service_unavailable` when the disk refuses or no permit is free in time; what `open` throws.
     */
    make(open: () => Promise<RetrievedBackup>): Promise<{ send(): Response }>;
    discard(): Promise<void>;
  };
}

export function createBackupDelivery(
  services: Pick<Services, "random" | "background" | "responsesInFlight" | "responsePermits">,
): BackupDelivery {
  const files = createResponseFiles(services);
  const { responsesInFlight, responsePermits } = services;

  return {
    begin(request, { backupId, size }) {
      const { address, connection, ended } = contextOf(request);
      const admit = (bytes: number) =>
        responsesInFlight.admit({ backupId, address, bytes: base64Length(bytes) });
      let reservation = size > IN_MEMORY_BYTES ? admit(size) : null;
      let file: ResponseFile | null = null;

      async function make(backup: RetrievedBackup) {
        const made = await retrievedBackupResponse(backup, files, ended);
        if (made instanceof Response) return { send: () => made };
        file = made;
        return {
          send() {
            reservation?.keepUntilOver(made.bytes, sentResponse(made, connection));
            return made.send();
          },
        };
      }

      return {
        async make(open) {
          if (reservation === null) {
            const backup = await open();
            if (backup.size <= IN_MEMORY_BYTES) return make(backup);
            await backup.content.cancel(); // a sync has made it large meanwhile
            reservation = admit(backup.size);
          }
          return responsePermits.run(address, async () => {
            if (connection?.isOpen() === false)
              throw new ServiceError("request_timeout", "The client closed the connection");
            const response = await make(await open());
            if (file === null) reservation?.release(); // a sync has made it small meanwhile
            return response;
          });
        },
        async discard() {
          reservation?.release();
          await file?.discard();
        },
      };
    },
  };
}

function sentResponse(file: ResponseFile, connection: Connection | null) {
  return {
    isOver: () => connection === null || !connection.isOpen(),
    limitIdle: (seconds: number) => connection?.limitIdle(seconds),
    end(isLate: boolean) {
      if (isLate) {
        connection?.limitIdle(1); // a client that reads nothing would not notice the end of the file
        void file.cutOff();
      } else void file.close();
    },
  };
}

function base64Length(bytes: number): number {
  return 4 * Math.ceil(bytes / 3);
}
