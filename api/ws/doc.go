// Package ws is the client's side of WebSocket (RFC 6455) on a connection that
// is already open, as sessions of the API need it: whole messages, no
// extensions, no dependencies. It exists so that the command stays light.
//
// One goroutine may read while any number write.
package ws
