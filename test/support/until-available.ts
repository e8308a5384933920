/**
 * Sends a request again while the service is unavailable, as its clients do: of many rivals for one row of a busy store
 * some are not carried out in time.
 */
export async function untilAvailable<Response extends { readonly status: number }>(
  send: () => Promise<Response>,
): Promise<Response> {
  const response = await send();
  return response.status === 503 ? untilAvailable(send) : response;
}
