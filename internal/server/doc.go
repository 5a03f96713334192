// Package server is the HTTP API: it validates requests, turns them into
// desired state in the store, waits until the node has followed, and streams
// what the node observes.
//
// The files are, in the order a request meets them: listen (who may connect),
// server and route (which handler), problem (what an error looks like), then
// one file per kind of call.
package server
