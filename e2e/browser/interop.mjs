// OAuth and OpenID Connect libraries that nobody here wrote, against the demo unchanged: openid-client and oauth4webapi.
import * as client from "openid-client";
import * as oauth from "oauth4webapi";
import { readFileSync } from "node:fs";
import { open, env, signIn, equal, ok, callbackServer } from "./lib.mjs";

const issuer = new URL(env("PORTAL_URL")), gateway = env("GATEWAY_URL");
const insecure = { [oauth.allowInsecureRequests]: true };
const admin = readFileSync(env("ADMIN_TOKEN_FILE"), "utf8").trim();

async function api(method, path, body) {
  const res = await fetch(new URL(path, issuer), { method, headers: { authorization: `Bearer ${admin}`, "content-type": "application/json" }, body: body && JSON.stringify(body) });
  const text = await res.text();
  if (!res.ok) throw new Error(`${method} ${path}: ${res.status} ${text}`);
  return text ? JSON.parse(text) : {};
}

// An app of the team Sunny, with a secret.
const home = await callbackServer();
const callback = `${home.url}/cb`;
const team = (await api("GET", "/v1/teams?name=Sunny")).items[0];
const app = await api("POST", "/v1/apps", {
  name: "Interop", team_id: team.id, redirect_uris: [callback], post_logout_redirect_uris: [`${home.url}/bye`], scopes: ["profile.read", "messages.read"],
  grant_types: ["authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"],
});
const { secret } = await api("POST", `/v1/apps/${app.id}/secrets`, {});

const { browser, context } = await open();
const page = await context.newPage();

// approve goes the user's way from an address of the server to the client's.
async function approve(url) {
  await page.goto(url.href);
  if (await page.$("#password")) await signIn(page);
  if (await page.$("#approve")) await page.click("#approve");
  await page.waitForURL(`${home.url}/**`);
  return new URL(page.url());
}

// openid-client: code with PKCE, pushed and not, refresh, userinfo, introspection, revocation, device, client credentials.
const config = await client.discovery(issuer, app.client_id, secret, undefined, { execute: [client.allowInsecureRequests] });
for (const pushed of [false, true]) {
  const verifier = client.randomPKCECodeVerifier(), state = client.randomState(), nonce = client.randomNonce();
  const parameters = { redirect_uri: callback, scope: "openid email profile profile.read", code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", state, nonce };
  const url = pushed ? await client.buildAuthorizationUrlWithPAR(config, parameters) : client.buildAuthorizationUrl(config, parameters);
  const tokens = await client.authorizationCodeGrant(config, await approve(url), { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true });
  const claims = tokens.claims();
  const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  equal([info.email, info.email_verified, info.name], ["ada@demo.test", true, "Ada"], "userinfo");
  const me = await fetch(`${gateway}/mail/v1/me`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  equal(me.status, 200, "the mail API takes the token");
  const fresh = await client.refreshTokenGrant(config, tokens.refresh_token);
  ok(fresh.access_token && fresh.access_token !== tokens.access_token, "refresh gives another access token");
  equal((await client.tokenIntrospection(config, fresh.access_token)).active, true, "introspection");
  await client.tokenRevocation(config, fresh.access_token);
  equal((await client.tokenIntrospection(config, fresh.access_token)).active, false, "introspection after revocation");
  await client.tokenRevocation(config, tokens.refresh_token);
  let refused = "";
  try {
    await client.refreshTokenGrant(config, tokens.refresh_token);
  } catch (e) {
    refused = e.error;
  }
  equal(refused, "invalid_grant", "refresh after revocation");
}
const own = await client.clientCredentialsGrant(config, { scope: "profile.read" });
ok(own.access_token && !own.refresh_token, "client credentials");

const device = await client.initiateDeviceAuthorization(config, { scope: "openid profile.read" });
const polling = client.pollDeviceAuthorizationGrant(config, device);
await page.goto(device.verification_uri_complete);
await page.click("#go-on");
await page.click("#approve");
ok((await polling).access_token, "the device got a token");

// DPoP, with a key of the client's.
const pair = await client.randomDPoPKeyPair("ES256");
const handle = client.getDPoPHandle(config, pair);
const bound = await client.clientCredentialsGrant(config, { scope: "profile.read" }, { DPoP: handle });
equal(bound.token_type.toLowerCase(), "dpop", "a bound token");
const asBearer = await fetch(`${gateway}/mail/v1/me`, { headers: { authorization: `Bearer ${bound.access_token}` } });
equal([asBearer.status, (await asBearer.json()).code], [401, "sender_mismatch"], "a bound token as Bearer");

// oauth4webapi: the same server by RFC 8414 discovery, and the strict reading of an answer and of JWTs.
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure }));
const them = { client_id: app.client_id };
const auth = oauth.ClientSecretBasic(secret);
{
  const verifier = oauth.generateRandomCodeVerifier(), state = oauth.generateRandomState(), nonce = oauth.generateRandomNonce();
  const url = new URL(as.authorization_endpoint);
  for (const [name, value] of Object.entries({
    client_id: them.client_id, redirect_uri: callback, response_type: "code", scope: "openid profile.read", code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", state, nonce,
  })) url.searchParams.set(name, value);
  const params = oauth.validateAuthResponse(as, them, await approve(url), state);
  const res = await oauth.authorizationCodeGrantRequest(as, them, auth, params, callback, verifier, insecure);
  const result = await oauth.processAuthorizationCodeResponse(as, them, res, { expectedNonce: nonce, requireIdToken: true });
  await oauth.validateApplicationLevelSignature(as, res, insecure);
  const request = new Request(`${gateway}/mail/v1/me`, { headers: { authorization: `Bearer ${result.access_token}` } });
  const claims = await oauth.validateJwtAccessToken(as, request, `${gateway}/mail`, insecure); // RFC 9068, as an API would
  equal(claims.client_id, app.client_id, "the access token names the client");

  // Logout, back to the client.
  const out = new URL(as.end_session_endpoint);
  out.searchParams.set("id_token_hint", result.id_token);
  out.searchParams.set("post_logout_redirect_uri", `${home.url}/bye`);
  out.searchParams.set("state", "bye");
  await page.goto(out.href);
  await page.click("#confirm-logout");
  await page.waitForURL(`${home.url}/bye?state=bye`);
  await page.goto(new URL("/account", issuer).href);
  ok(await page.$("#password"), "after the logout the account asks to sign in");
}
await browser.close();
home.close();
console.log("ok interop");
