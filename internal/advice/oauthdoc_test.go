package advice_test

import "strings"

// oauthErrors is the part of docs/errors.md about apps and people. It has no table in the code: its errors are OAuth's own.
// TestOAuthErrors in package docs holds it to the sources. ´ stands for a backtick.
var oauthErrors = strings.ReplaceAll(`
## Errors of the OAuth endpoints

JSON with ´error´ and ´error_description´ (RFC 6749 section 5.2), never stored by anybody. The description is a sentence that says what is wrong and holds
no secret; show it to developers, and decide by ´error´. At ´/oauth/authorize´ the same two come to the app's redirect URI, with ´iss´ and ´state´. While the app or
the redirect URI is in doubt, they stay on a page that names ´client_id´ or ´redirect_uri´.

| error | status | where | means | mend it |
|---|---|---|---|---|
| ´invalid_request´ | 400 | everywhere | a parameter is missing, doubled, too long, or does not fit another | read the description; send each parameter once, secrets in the body |
| ´invalid_client´ | 401; 429 after many unknown secrets | where apps prove who they are | no such app, or the secret or assertion is not good; with Basic a ´WWW-Authenticate´ header comes along | check id and secret; one way of proving at a time; after 429 wait as long as ´Retry-After´ says |
| ´invalid_grant´ | 400 | token | the code, refresh token, device code, assertion or token to exchange is not this app's, was used, is over, or belongs to a user or grant that is no longer in force | begin the login again |
| ´unauthorized_client´ | 400 | token, PAR, devices, authorize, revoke | the app did not register this grant type, or the token is another app's | register the grant type |
| ´unsupported_grant_type´ | 400 | token | there is no such grant type here | see ´grant_types_supported´ in discovery |
| ´unsupported_response_type´ | | authorize, PAR | ´response_type´ is not ´code´ | use the code flow |
| ´invalid_scope´ | 400 | wherever scopes are asked | there is no such scope, the app did not register it, it goes beyond what was allowed, or so many do not fit into one token | ask for fewer |
| ´invalid_target´ | 400 | wherever scopes are asked | the resource is none, there are several, or the scopes are of several APIs | one API at a time, or name the ´resource´ |
| ´access_denied´ | 400 for devices, 403 at registration | authorize, token, register | the user said no or may grant none of it; or registration is closed here | ask the user why; have an admin make the app |
| ´login_required´ | | authorize | ´prompt=none´, and nobody is logged in; or another user logged in than the one that ´id_token_hint´ or ´claims´ means | ask without ´prompt=none´; without the hint if anybody will do |
| ´consent_required´ | | authorize | ´prompt=none´, and the user has not allowed this yet | ask without ´prompt=none´ |
| ´unmet_authentication_requirements´ | | authorize, PAR | ´claims´ wants a login that cannot be had here | leave the essential ´acr´ out |
| ´invalid_request_object´ | 400 | authorize, PAR | the request object is not signed by the app, is over, or says something else than the parameters | sign it anew |
| ´invalid_request_uri´ | 400 | authorize, PAR | the address is not registered, or cannot be read | register it in ´request_uris´ |
| ´invalid_dpop_proof´ | 400; 401 where a token comes with it | token, PAR, devices; userinfo, APIs | the proof is not for this request, too old, used before, or by another key than the token's | a fresh proof for each request |
| ´authorization_pending´ | 400 | token, for devices | the user has not answered yet | go on asking |
| ´slow_down´ | 400 | token, for devices | asked too soon; from now on 5 seconds longer | wait longer |
| ´expired_token´ | 400 | token, for devices | the device code is over, or was used | begin again |
| ´invalid_token´ | 401 | userinfo, introspection, registration | the credential is not good here | get another token; for a bound one send a proof |
| ´insufficient_scope´ | 403 | userinfo, introspection, registration | it lacks ´openid´, ´lanyard.verify´ or ´lanyard.apps.write´ | ask for the scope |
| ´invalid_client_metadata´ | 400 | register | a member of the registration cannot be | read the description |
| ´invalid_redirect_uri´ | 400 | register | a redirect URI cannot be | https, http on this machine, or a scheme of the app's own; exact |
| ´unapproved_software_statement´ | 400 | register | software statements are not taken | leave it out |
| ´temporarily_unavailable´ | 503; 429 | everywhere | Lanyard cannot reach what it needs, or too many ask | try again after ´Retry-After´; nothing was issued |
| ´server_error´ | 500 | everywhere | a defect of the server's own | give the request id to whoever runs it |

## Errors on pages

A page that cannot go on says so in a sentence, with the status of the matching problem above. Programs that accept JSON and no HTML get the problem.

| the page says | do |
|---|---|
| "this login is over, was answered already, or was begun in another browser; go back to the app and begin again" | that: requests live 30 minutes, in one browser |
| "That did not match." | check the address and the password; the same is said of an unknown address |
| "Too many attempts." | wait as long as it says |
| "too many people sign in at this moment; try again in a few seconds" | that: nothing is wrong |
| "this link does not work, or not any more: it works once and for a short time; ask for a new one" | that |
| "open this link in the browser in which you asked for it: whoever asked chose the password" | that, or ask anew |
| "too many mails were asked for from your network; try again in an hour" | that |
| "accounts are not made here: ask whoever runs this server for one" | that, or have ´LANYARD_SIGNUP´ changed |
| "an account needs an invitation here: ask whoever runs this server for one" | that |
| "this form was sent by another site, so nothing was done; open the page here and try again" | that |
| "the app that asked is no longer in force" | ask whoever runs the app |
| "no such code" | compare with the device, letter by letter; a code belongs to the browser that typed it first |
| "this server has an admin already: log in, or ask them; ´lanyard admin login-link´ is the way back in" | that |
`, "´", "`")
