/** The types of the AWS SDK's clients and commands, as far as a request depends on them. */
import type { SmithyResolvedConfiguration } from "@smithy/core/client";
import type { EndpointResolvedConfig } from "@smithy/core/endpoints";
import type {
  AwsCredentialIdentity,
  BodyLengthCalculator,
  Command,
  HttpAuthScheme,
  HttpHandlerOptions,
  MetadataBearer,
  Provider,
  SerdeFunctions,
} from "@smithy/types";

/** A client's settings, as the SDK has resolved them. */
export type SdkConfig = SmithyResolvedConfiguration<HttpHandlerOptions> &
  EndpointResolvedConfig &
  SerdeFunctions & {
    readonly credentials: Provider<AwsCredentialIdentity>;
    readonly region: Provider<string>;
    readonly defaultSigningName: string;
    readonly signingEscapePath: boolean;
    readonly httpAuthSchemes: HttpAuthScheme[];
    readonly bodyLengthChecker: BodyLengthCalculator;
    /** By how much AWS's clock is ahead of this machine's, in milliseconds, as far as responses have shown. */
    systemClockOffset: number;
    /** Whether requests are signed with this machine's time even if AWS's clock differs. */
    readonly disableClockSkewCorrection?: Provider<boolean>;
  };

export interface SendOptions {
  readonly abortSignal?: AbortSignal;
  /**
   * Called once the request is signed, as the last thing before it is sent. What it throws keeps the request from being
   * sent.
   */
  readonly beforeSending?: () => void;
}

export type SdkCommand<
  I extends object,
  Input extends I,
  O extends MetadataBearer,
  Output extends O,
> = Command<I, Input, O, Output, SmithyResolvedConfiguration<HttpHandlerOptions>>;

/** Sends commands of the SDK. `I` and `O` are the inputs and outputs of the commands of one service. */
export interface CommandSender<I extends object, O extends MetadataBearer> {
  /** @throws what the SDK's clients throw. */
  send<Input extends I, Output extends O>(
    command: SdkCommand<I, Input, O, Output>,
    options?: SendOptions,
  ): Promise<Output>;
  /** Closes the connections that are idle. */
  destroy(): void;
}
