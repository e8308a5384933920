import type { Exchange } from "../client/exchange.ts";
import type { HttpRequest, Transport } from "../client/index.ts";
import { fetchTransport } from "../client/transport/fetch.ts";

/** Sends requests by `fetch`, and reports each with its response. */
export function reportingTransport(onExchange: (exchange: Exchange) => void): Transport {
  return async (request) => {
    const response = await fetchTransport(request);
    const { method, url } = request;
    onExchange({
      method,
      path: new URL(url).pathname,
      request: await readable(request),
      status: response.status,
      response: response.text === "" ? null : JSON.parse(response.text),
    });
    return response;
  };
}

/** The body for a person to read: of an upload its payload, and how long the content is. */
async function readable({ body, headers }: HttpRequest): Promise<unknown> {
  if (typeof body === "string") return JSON.parse(body);
  const form = await new Response(body, { headers }).formData();
  const backup = form.get("backup");
  const bytes = backup instanceof Blob ? backup.size : 0;
  return { payload: JSON.parse(String(form.get("payload"))), backup: `(${bytes} bytes)` };
}
