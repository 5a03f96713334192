// Package wire is the language between virga-shim and its clients, over a unix
// stream socket. Both sides send frames:
//
//	offset  size  what
//	0       4     length of what follows, little endian, at most MaxFrame
//	4       1     kind
//	5       …     body
//
// The first frame says what the connection is. Hello makes it a control
// connection: the client sends requests, each with a number, and the supervisor
// answers each by a Reply of the same number, in any order, and sends an Exit
// for every process that ends. Attach makes it the streams of one process.
// Descriptors travel with the first byte of the frame they belong to.
package wire
