/**
 * Sends commands of the AWS SDK at a fraction of its cost. Serialisers, parsers, errors, credentials, endpoints and the
 * clock stay the SDK's, but for the JSON of DynamoDB; left out is the stack of middleware between them, which the SDK puts
 * together for each request.
 */
import { Readable } from "node:stream";
import type { Client } from "@smithy/core/client";
import type {
  $OperationSchema,
  AwsCredentialIdentity,
  HttpHandlerOptions,
  HttpRequest,
  HttpResponse,
  MetadataBearer,
  StaticOperationSchema,
} from "@smithy/types";
import { inSpan } from "../../../runtime/span.ts";
import { version } from "../../../runtime/version.ts";
import { learnTime } from "./clock.ts";
import { Connections } from "./connections.ts";
import { createEndpointOf, type DirectEndpoint, type EndpointOf } from "./endpoint.ts";
import type { CommandSender, SdkCommand, SdkConfig, SendOptions } from "./sdk.ts";
import type { DirectProtocol, DirectService } from "./service.ts";
import { RequestSigner } from "./signature.ts";

/** `fetch` would shorten such a path. */
const DOT_SEGMENT = /\/\.\.?\//;
const USER_AGENT = `backup-service/${version}`;

export class DirectClient<I extends object, O extends MetadataBearer> implements CommandSender<I, O> {
  readonly #sdk: Client<HttpHandlerOptions, I, O, SdkConfig>;
  readonly #service: DirectService;
  readonly #protocol: DirectProtocol | null;
  readonly #connections: Connections;
  readonly #endpointOf: EndpointOf;
  readonly #signer = new RequestSigner();
  readonly #operations = new Map<string, $OperationSchema>();

  /**
   * @param sdk sends what cannot be sent directly.
   * @param maxRequests how many requests are on their way at a time.
   */
  constructor(sdk: Client<HttpHandlerOptions, I, O, SdkConfig>, service: DirectService, maxRequests: number) {
    this.#sdk = sdk;
    this.#service = service;
    const { protocol } = sdk.config;
    this.#protocol = protocol === undefined ? null : (service.protocol?.(protocol) ?? protocol);
    this.#connections = new Connections(maxRequests);
    this.#endpointOf = createEndpointOf(sdk.config, service.instructions);
  }

  async send<Input extends I, Output extends O>(
    command: SdkCommand<I, Input, O, Output>,
    options: SendOptions = {},
  ): Promise<Output> {
    const { config } = this.#sdk;
    const operation = this.#operationOf(command);
    const credentials = await config.credentials();
    const endpoint = await this.#endpointOf(command.input, credentials.accountId);
    const protocol = this.#protocol;
    if (protocol === null || operation === null || endpoint === null)
      return this.#sendThroughSdk(command, options);

    const request = await protocol.serializeRequest(operation, command.input, endpoint.context);
    this.#complete(request, credentials, endpoint);
    const sentAtMs = Date.now();
    const isStreamed = operation.name === this.#service.streamed;
    const response = await inSpan(`AWS ${operation.name}`, "client", async (span) => {
      const received = await this.#connections.exchange(request, { isStreamed, ...options });
      span?.set({ "http.response.status_code": received.statusCode });
      return received;
    });
    try {
      this.#service.inspect?.(response);
      const output = await protocol.deserializeResponse<Output>(operation, endpoint.context, response);
      await learnTime(config, response, sentAtMs);
      return output;
    } catch (error) {
      if (response.body instanceof Readable) response.body.destroy(); // nobody else knows it: it keeps a permit
      if (!(error instanceof Error)) throw error;
      await learnTime(config, response, sentAtMs, error);
      throw withResponse(error, response);
    }
  }

  destroy(): void {
    this.#connections.close();
    this.#sdk.destroy();
  }

  /** The operation of a command; `null` if it is not sent directly. */
  #operationOf({
    schema,
    input,
  }: {
    schema?: StaticOperationSchema;
    input: object;
  }): $OperationSchema | null {
    if (schema === undefined || !this.#service.operations.has(schema[2])) return null;
    if ("Key" in input && DOT_SEGMENT.test(`/${input.Key}/`)) return null;
    const known = this.#operations.get(schema[2]);
    if (known !== undefined) return known;
    const [, namespace, name, traits, inputSchema, outputSchema] = schema;
    const operation = { namespace, name, traits, input: inputSchema, output: outputSchema };
    this.#operations.set(name, operation);
    return operation;
  }

  /** Adds the headers that every request has, the signature included. */
  #complete(request: HttpRequest, credentials: AwsCredentialIdentity, { scope }: DirectEndpoint): void {
    const { headers, hostname, port, body } = request;
    const { bodyLengthChecker, systemClockOffset } = this.#sdk.config;
    headers.host = port === undefined ? hostname : `${hostname}:${port}`;
    if (body !== undefined) headers["content-length"] ??= `${bodyLengthChecker(body)}`;
    this.#service.prepare?.(request);
    this.#signer.sign(request, credentials, scope, Date.now() + systemClockOffset);
    headers["user-agent"] = USER_AGENT; // not signed: a proxy may change it
  }

  #sendThroughSdk<Input extends I, Output extends O>(
    command: SdkCommand<I, Input, O, Output>,
    { abortSignal, beforeSending }: SendOptions,
  ): Promise<Output> {
    if (beforeSending !== undefined)
      command.middlewareStack.add(
        (next) => (args) => {
          beforeSending();
          return next(args);
        },
        { name: "beforeSending", step: "deserialize", priority: "low", override: true },
      );
    return this.#sdk.send(command, abortSignal && { abortSignal });
  }
}

/** Adds to an error what the SDK's middleware adds: clock-skew.ts and sdk-error.ts read it. */
function withResponse(error: Error, response: HttpResponse): Error {
  Object.defineProperty(error, "$response", { value: response, enumerable: false });
  if (!("$metadata" in error)) Object.assign(error, { $metadata: { httpStatusCode: response.statusCode } });
  return error;
}
