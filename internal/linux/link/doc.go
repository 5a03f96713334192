// Package link makes and changes network links, addresses and routes by
// netlink. A Conn is a socket in one network namespace; it sends many requests
// in one system call and reads their answers in another, which is what makes
// the network of an instance cheap. Rare changes (bridges) go through the
// netlink library, frequent ones are encoded here.
package link
