// @modelcontextprotocol/sdk finds out by itself who guards the demo's mail API, registers, and gets a token for it; and a client
// that is known by its metadata document does without registering.
import { auth, discoverOAuthProtectedResourceMetadata, discoverAuthorizationServerMetadata, extractWWWAuthenticateParams } from "@modelcontextprotocol/sdk/client/auth.js";
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

const kept = {};
let sentTo;
const provider = {
  get redirectUrl() { return callback; },
  get clientMetadata() { return { client_name: "MCP client", redirect_uris: [callback], token_endpoint_auth_method: "none", grant_types: ["authorization_code", "refresh_token"], response_types: ["code"] }; },
  clientInformation: () => kept.client,
  saveClientInformation: (c) => { kept.client = c; },
  tokens: () => kept.tokens,
  saveTokens: (t) => { kept.tokens = t; },
  redirectToAuthorization: (url) => { sentTo = url; },
  saveCodeVerifier: (v) => { kept.verifier = v; },
  codeVerifier: () => kept.verifier,
};
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
await browser.close();
home.close();
console.log("ok mcp");
