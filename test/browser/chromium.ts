/** A headless Chromium, driven over the DevTools protocol. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHROMIUM, requireProgram } from "../support/system-packages.ts";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // no page of a test reaches another host, by name or by address
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
  "--remote-debugging-port=0",
];
const LISTENING = /DevTools listening on (ws:\/\/\S+)/;
const AUTHENTICATOR = {
  protocol: "ctap2",
  ctap2Version: "ctap2_1",
  transport: "internal",
  hasResidentKey: true,
  hasUserVerification: true,
  hasPrf: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
};

/** The keys that a test presses, with their codes and what they type. */
const KEYS = {
  Tab: { windowsVirtualKeyCode: 9 },
  Enter: { windowsVirtualKeyCode: 13, text: "\r" },
  " ": { windowsVirtualKeyCode: 32, text: " " },
  ArrowDown: { windowsVirtualKeyCode: 40 },
} as const;

export type Key = keyof typeof KEYS;

type Members = Readonly<Record<string, unknown>>;

/** What a virtual authenticator keeps of a passkey. */
export interface VirtualCredential extends Members {
  readonly credentialId: string;
  readonly signCount: number;
}

/** A browser profile with one page, and an authenticator of its own. */
export interface Profile {
  /** Names the profile to the browser. */
  readonly contextId: string;
  /** Loads a page. */
  open(url: string): Promise<void>;
  /** Clicks a link to another page, and waits until that is loaded: before, no expression has a page of its own. */
  follow(selector: string): Promise<void>;
  /** Gives the page the width of a phone or a screen, in CSS pixels, for the colours of a scheme. */
  show(width: number, colours: "light" | "dark"): Promise<void>;
  /** Presses a key of the keyboard and releases it. */
  press(key: Key): Promise<void>;
  /** Types a text where the focus is. */
  insert(text: string): Promise<void>;
  /** Takes the network away from the page, or gives it back. */
  setOffline(offline: boolean): Promise<void>;
  /** The URLs of all requests of the page so far. */
  readonly requests: readonly string[];
  /** What the browser reported so far: violations of a content security policy, and exceptions that nothing caught. */
  readonly problems: readonly string[];
  /** What an expression of the page resolves to. */
  evaluate(expression: string): Promise<unknown>;
  /** Calls a function of the page's `app` with JSON and returns what it resolves to. */
  call(name: string, parameters: Members): Promise<unknown>;
  credentials(): Promise<readonly VirtualCredential[]>;
  addCredential(credential: VirtualCredential): Promise<void>;
  removeCredential(credential: VirtualCredential): Promise<void>;
}

export interface Browser extends AsyncDisposable {
  newProfile(): Promise<Profile>;
  /** Another tab of a profile, which has an authenticator of its own too. */
  newTab(profile: Profile): Promise<Profile>;
}

/** Starts a browser. @throws Error when there is none and it cannot be installed. */
export async function startChromium(): Promise<Browser> {
  const program = await requireProgram(CHROMIUM);
  const folder = await mkdtemp(join(tmpdir(), "chromium-"));
  const child = Bun.spawn([program, ...FLAGS, `--user-data-dir=${folder}`, "about:blank"], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const connection = await connect(await listeningAt(child.stderr));
  return {
    async newProfile() {
      const { browserContextId } = await connection.send("Target.createBrowserContext", {});
      return newPage(connection, String(browserContextId));
    },
    newTab: ({ contextId }) => newPage(connection, contextId),
    async [Symbol.asyncDispose]() {
      connection.close();
      child.kill("SIGKILL");
      await child.exited;
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The address that the browser prints once it is ready. */
async function listeningAt(output: ReadableStream<Uint8Array>): Promise<string> {
  const reader = output.getReader();
  const decoder = new TextDecoder();
  let printed = "";
  for (;;) {
    const { value, done } = await reader.read();
    printed += decoder.decode(value, { stream: true });
    const [, url] = LISTENING.exec(printed) ?? [];
    if (url !== undefined) {
      void drain(reader);
      return url;
    }
    if (done) throw new Error(`Chromium did not start: ${printed.slice(-1000)}`);
  }
}

/** Reads the rest, so that the browser never waits for a reader of its output. */
async function drain(reader: { read(): Promise<{ readonly done: boolean }> }): Promise<void> {
  while (!(await reader.read()).done);
}

interface Connection {
  send(method: string, params: Members, sessionId?: string): Promise<Members>;
  /** The next event of this name in a session. */
  event(name: string, sessionId: string): Promise<void>;
  /** Calls `listener` with each event of this name in a session. */
  listen(name: string, sessionId: string, listener: (params: Members) => void): void;
  close(): void;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Members;
  readonly result?: Members;
  readonly error?: { readonly message: string };
}

async function connect(url: string): Promise<Connection> {
  const socket = new WebSocket(url);
  const answers = new Map<number, (message: Message) => void>();
  const events = new Map<string, (params: Members) => void>();
  const { promise: gone, reject: leave } = Promise.withResolvers<never>();
  gone.catch(() => {}); // nobody may be waiting
  let lastId = 0;
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("Chromium refuses the connection"));
  });
  socket.onclose = () => leave(new Error("Chromium has ended"));
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.id !== undefined) answers.get(message.id)?.(message);
    else events.get(`${message.sessionId} ${message.method}`)?.(message.params ?? {});
  };
  return {
    async send(method, params, sessionId) {
      const id = ++lastId;
      const { promise, resolve } = Promise.withResolvers<Message>();
      answers.set(id, resolve);
      socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
      const { result, error } = await Promise.race([promise, gone]);
      answers.delete(id);
      if (error !== undefined) throw new Error(`${method}: ${error.message}`);
      return result ?? {};
    },
    event: (name, sessionId) =>
      Promise.race([
        new Promise<void>((resolve) => events.set(`${sessionId} ${name}`, () => resolve())),
        gone,
      ]),
    listen: (name, sessionId, listener) => void events.set(`${sessionId} ${name}`, listener),
    close: () => socket.close(),
  };
}

async function newPage(connection: Connection, browserContextId: string): Promise<Profile> {
  const { targetId } = await connection.send("Target.createTarget", { url: "about:blank", browserContextId });
  const attached = await connection.send("Target.attachToTarget", { targetId, flatten: true });
  const sessionId = String(attached.sessionId);
  const send = (method: string, params: Members = {}) => connection.send(method, params, sessionId);
  const requests: string[] = [];
  connection.listen("Network.requestWillBeSent", sessionId, ({ request }) => {
    requests.push((request as { readonly url: string }).url);
  });
  const problems: string[] = [];
  connection.listen("Log.entryAdded", sessionId, ({ entry }) => {
    const { source, level, text } = entry as Readonly<Record<string, string>>;
    if (level === "error" && source !== "network") problems.push(`${source}: ${text}`);
  });
  connection.listen("Runtime.exceptionThrown", sessionId, ({ exceptionDetails }) => {
    problems.push(JSON.stringify(exceptionDetails));
  });
  for (const domain of ["Network", "Log", "Runtime"]) await send(`${domain}.enable`);
  await send("Page.enable");
  await send("WebAuthn.enable");
  const { authenticatorId } = await send("WebAuthn.addVirtualAuthenticator", { options: AUTHENTICATOR });
  const evaluate = async (expression: string) => {
    const evaluation = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = await send("Runtime.evaluate", evaluation);
    if (exceptionDetails !== undefined)
      throw new Error(`The page failed at ${expression.slice(0, 100)}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { readonly value: unknown }).value;
  };
  const loaded = () => connection.event("Page.loadEventFired", sessionId);
  return {
    contextId: browserContextId,
    requests,
    problems,
    async open(url) {
      await Promise.all([loaded(), send("Page.navigate", { url })]);
    },
    async follow(selector) {
      await Promise.all([loaded(), evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`)]);
    },
    async show(width, colours) {
      const metrics = { width, height: 800, deviceScaleFactor: 1, mobile: width < 600 };
      await send("Emulation.setDeviceMetricsOverride", metrics);
      const features = [{ name: "prefers-color-scheme", value: colours }];
      await send("Emulation.setEmulatedMedia", { features });
    },
    async press(key) {
      const pressed = { key, code: key === " " ? "Space" : key, ...KEYS[key] };
      await send("Input.dispatchKeyEvent", { type: "keyDown", ...pressed });
      await send("Input.dispatchKeyEvent", { type: "keyUp", ...pressed });
    },
    async insert(text) {
      await send("Input.insertText", { text });
    },
    async setOffline(offline) {
      const conditions = { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
      await send("Network.emulateNetworkConditions", conditions);
    },
    evaluate,
    call: (name, parameters) => evaluate(`app.${name}(${JSON.stringify(parameters)})`),
    async credentials() {
      const { credentials } = await send("WebAuthn.getCredentials", { authenticatorId });
      return credentials as readonly VirtualCredential[];
    },
    async addCredential(credential) {
      await send("WebAuthn.addCredential", { authenticatorId, credential });
    },
    async removeCredential({ credentialId }) {
      await send("WebAuthn.removeCredential", { authenticatorId, credentialId });
    },
  };
}
