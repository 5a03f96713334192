// Package proxy is the L7 side of services: HTTP/1.1 by its own data path,
// HTTP/2 (with gRPC), WebSocket and other upgrades.
//
// A Proxy has a table of routes to pools of backends, swapped as a whole by
// Set; what is known of a backend (outstanding requests, failures, idle
// connections) survives a Set as long as the backend does. A request is read
// up to the end of its head, routed, sent to the backend with the fewest
// outstanding requests for its weight, and its answer is copied back; nothing
// is buffered beyond the head and what arrived with it.
//
// A request without a body costs one read and one write on either side and no
// memory: it is served in the middle of the read from the client (waiter),
// goes to the backend within the read of the answer (wire), and time limits are
// set anew only when they are about to be off (stream.readWithin).
//
// The head parser is strict: what two parsers could read in two ways (several
// lengths, a length beside chunks, folded lines, white space before a colon)
// is refused, so that no request can be smuggled past it.
//
//	listener ─▶ conn (one goroutine) ─▶ table.match ─▶ pool.pick ─▶ backend.conn
package proxy
