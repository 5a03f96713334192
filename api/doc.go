// Package api holds virga's domain types, its errors and the client of its
// HTTP API. It imports only the standard library, so other programs may use it
// without inheriting virga's dependencies.
//
// A stored object has three parts with one writer each: a spec (what the user
// asked for, written by the API), a desired state (written by the control
// plane) and a status (what was observed, written by the node that runs it).
package api
