// Package ca is the node's own certificate authority, for services that speak
// TLS and have no certificate from elsewhere.
//
// Its root is made once and kept in a directory that only root can read; leaf
// certificates live for days, in memory only, and are made anew well before
// they end. Clients trust the root: `virga service ca` prints it.
package ca
