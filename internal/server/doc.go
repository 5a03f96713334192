// Package server is the HTTP API: it validates requests, turns them into
// desired state in the store, and streams what the node observes.
package server
