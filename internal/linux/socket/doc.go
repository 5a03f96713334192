// Package socket receives from TCP sockets and sends to them by single system
// calls that never wait, which the scheduler is not told of: what it would do
// about a call that blocks is half the price of one that does not. The caller
// waits by the runtime's poller, within syscall.RawConn.
package socket
