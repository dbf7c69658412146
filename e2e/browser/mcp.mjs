// @modelcontextprotocol/sdk finds out by itself who guards the demo's mail API, registers, and gets a token for it. And an MCP server of the
// same library, behind the gateway, is used by its client with no setting but its address.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { UnauthorizedError, auth, discoverOAuthProtectedResourceMetadata, discoverAuthorizationServerMetadata, extractWWWAuthenticateParams } from "@modelcontextprotocol/sdk/client/auth.js";
import { open, env, signIn, equal, ok, callbackServer } from "./lib.mjs";

const server = `${env("GATEWAY_URL")}/mail`;
const home = await callbackServer();
const callback = `${home.url}/cb`;

// The API names its metadata in the challenge.
const refused = await fetch(`${server}/v1/me`);
equal(refused.status, 401, "without a token");
const { resourceMetadataUrl } = extractWWWAuthenticateParams(refused);
ok(resourceMetadataUrl, "the challenge names the resource's metadata");
const metadata = await discoverOAuthProtectedResourceMetadata(server, { resourceMetadataUrl });
equal(metadata.resource, server, "the resource");
equal(metadata.authorization_servers, [env("PORTAL_URL")], "who guards it");
const as = await discoverAuthorizationServerMetadata(metadata.authorization_servers[0]);
ok(as.client_id_metadata_document_supported && as.code_challenge_methods_supported.includes("S256") && as.token_endpoint_auth_methods_supported.includes("none"), "what the server says it can");

// newProvider is a client that nobody has heard of: what the library asks of its user is where it may come back to, and a memory.
let sentTo;
const newProvider = (kept) => ({
  get redirectUrl() { return callback; },
  get clientMetadata() { return { client_name: "MCP client", redirect_uris: [callback], token_endpoint_auth_method: "none", grant_types: ["authorization_code", "refresh_token"], response_types: ["code"] }; },
  clientInformation: () => kept.client,
  saveClientInformation: (c) => { kept.client = c; },
  tokens: () => kept.tokens,
  saveTokens: (t) => { kept.tokens = t; },
  redirectToAuthorization: (url) => { sentTo = url; },
  saveCodeVerifier: (v) => { kept.verifier = v; },
  codeVerifier: () => kept.verifier,
});
const kept = {};
const provider = newProvider(kept);
equal(await auth(provider, { serverUrl: server, resourceMetadataUrl }), "REDIRECT", "the first step");
ok(kept.client.client_id, "it registered");

const { browser, context } = await open();
const page = await context.newPage();
await page.goto(sentTo.href);
await signIn(page);
await page.click("#approve");
await page.waitForURL(`${home.url}/**`);
const code = new URL(page.url()).searchParams.get("code");
equal(await auth(provider, { serverUrl: server, resourceMetadataUrl, authorizationCode: code }), "AUTHORIZED", "the second step");
const me = await fetch(`${server}/v1/me`, { headers: { authorization: `Bearer ${kept.tokens.access_token}` } });
equal(me.status, 200, "with the token");
// The token is over: the SDK refreshes.
equal(await auth(provider, { serverUrl: server, resourceMetadataUrl }), "AUTHORIZED", "refreshed");

// An MCP server that knows nothing of tokens: who calls is in the headers that the gateway sets.
const heard = [];
const tools = createServer(async (req, res) => {
  heard.push(req.headers);
  const mcp = new McpServer({ name: "tools", version: "1.0.0" });
  mcp.registerTool("whoami", { description: "Says who calls" }, async () => ({ content: [{ type: "text", text: req.headers["x-lanyard-user"] }] }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  res.on("close", () => { transport.close(); mcp.close(); });
  await mcp.connect(transport);
  await transport.handleRequest(req, res);
});
await new Promise((done) => tools.listen(0, "127.0.0.1", done));
const operation = { scopes: ["tools.use"] };
const declared = await fetch(`${env("PORTAL_URL")}/v1/apis/tools`, {
  method: "PUT",
  headers: { authorization: `Bearer ${readFileSync(env("ADMIN_TOKEN_FILE"), "utf8").trim()}`, "content-type": "application/json" },
  body: JSON.stringify({
    title: "Tools", takes: "token", upstream: `http://127.0.0.1:${tools.address().port}`, routes: [{ prefix: "/tools", strip_prefix: true }],
    scopes: { "tools.use": { text: "use your tools", default: true } }, operations: { "POST /mcp": operation, "GET /mcp": operation, "DELETE /mcp": operation },
  }),
});
equal(declared.status, 200, `declaring the API (${await declared.text()})`);

const address = new URL(`${env("GATEWAY_URL")}/tools/mcp`);
const mine = {};
const connect = async () => {
  const client = new Client({ name: "a client", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(address, { authProvider: newProvider(mine) });
  try {
    await client.connect(transport);
  } catch (e) {
    if (!(e instanceof UnauthorizedError)) throw e;
    return { transport };
  }
  return { client, transport };
};
// The node may hear of the API a moment later.
let first = await connect().catch(() => undefined);
for (let n = 0; !first && n < 50; n++) first = await connect().catch(() => undefined);
ok(first && !first.client, "without a token the client is sent to who hands them out");
equal(heard.length, 0, "calls that reached the MCP server before anybody allowed them");
await page.goto(sentTo.href);
ok((await page.textContent("body")).includes("use your tools"), "the consent page says what for");
await page.click("#approve");
await page.waitForURL(`${home.url}/**`);
await first.transport.finishAuth(new URL(page.url()).searchParams.get("code"));
const { client } = await connect();
ok(client, "with the token it connects");
equal((await client.listTools()).tools.map((t) => t.name), ["whoami"], "the tools");
const said = await client.callTool({ name: "whoami", arguments: {} });
ok(said.content[0].text.startsWith("user_"), `the tool knows who calls: ${JSON.stringify(said)}`);
ok(heard.every((h) => !h.authorization && h["x-lanyard-assertion"]), "no token reaches the MCP server");
await client.close();
tools.close();
tools.closeAllConnections();
await browser.close();
home.close();
console.log("ok mcp");
