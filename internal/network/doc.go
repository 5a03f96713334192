// Package network gives the instances of a node their networks: the bridge,
// addresses, name resolution, published ports and the way out.
package network
