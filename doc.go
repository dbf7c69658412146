// Package lanyard asks a Lanyard server about credentials: whether a request may pass, whose it is, and everything the
// management API can do.
//
// # Guarding an API
//
// Require is net/http middleware. It takes the credential out of the request, asks the server for a decision, and lets the
// request through without the credential and with the caller's Identity in its context:
//
//	client, err := lanyard.FromEnv() // LANYARD_URL and LANYARD_TOKEN
//	if err != nil {
//		log.Fatal(err)
//	}
//	guard := lanyard.Require(client, "weather")
//	log.Fatal(http.ListenAndServe("127.0.0.1:8080", guard(weather.Handler())))
//
// LANYARD_TOKEN is a credential with the scope lanyard.verify. Whatever keeps a decision from being made (the server is
// out of reach, the token does not work) is answered 503: the middleware fails closed. A refused caller gets 401, 403 or
// 429 with a problem document (RFC 9457) that says what to do about it.
//
// What a handler behind Require may rely on:
//
//   - every request was allowed by a decision made for its own method and path, or for the operation named by option
//     (CORS preflights excepted, where WithPreflight lets them through);
//   - no credential reaches it, nor any X-Lanyard-… header in any spelling, nor a header that overrides the method, nor
//     Lanyard's own cookies, nor trailers;
//   - r.URL.Path is the very text the decision was made on: a path with two readings is refused with 400 before asking.
//
// # Two kinds of credential
//
// An API key is an ID card: it says which app is calling. An access token is a visitor badge: it says for whom an app
// calls. FromRequest finds both where callers put them and refuses whatever has more than one reading; a key and a token
// may come together.
//
// # Managing
//
// Client has methods for the JSON API (/v1): decisions, apps, keys, the catalog, teams and users, usage, audit and changes.
// Refusals of the API itself are a *ProblemError; a refused credential is no error but a Decision whose Allowed is false.
// Lists come as pages, or as iterators whose names begin with All. A Client is safe for use by many goroutines and keeps
// its connections.
//
// The types of the wire stand in the files wire*.go and are those the server itself uses.
package lanyard
