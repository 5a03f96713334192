// Package nft keeps virga's nftables tables: address translation, the wall
// between networks and published ports.
//
// Table.Set says what is wanted and replaces everything in one transaction, so
// no packet sees half of it, and established connections go on because
// conntrack is not touched. Rules are few and fixed: what varies (bridges,
// subnets, published ports) are elements of sets and maps, so a published port
// costs one element and a lookup stays O(1) however many there are. Tables of
// other programs are never changed.
//
//	chain        hook, priority           what it does
//	guard        prerouting, -199         nothing from a bridge reaches the node's loopback
//	publish      prerouting, -100         DNAT of published ports, and of the metadata service
//	publish-own  output, -100             the same for the node's own packets
//	wall         forward, 0               what may pass between networks and outside
//	node         input, 0                 what internal networks may ask of the node
//	leave        postrouting, 100         masquerade
package nft
