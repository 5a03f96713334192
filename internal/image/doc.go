// Package image is a node's image store: it imports, pulls, unpacks, exports,
// pushes, tags and removes OCI images.
//
//	<dir>/oci-layout, index.json   the store is an OCI image layout; the index
//	                               holds the names and is the only thing that
//	                               changes in place (write, sync, rename)
//	<dir>/blobs/sha256/<hex>       manifests, configurations, compressed layers
//	<dir>/layers/<hex>/            layers unpacked for overlayfs, by diff id,
//	                               owned by the ids that the archive says
//	<dir>/partial/<hex>            downloads that broke off, to be resumed
//	<dir>/tmp/                     what is being made
//
// An image exists when the index names it. Everything that it needs is made
// under tmp, renamed to its digest and synced before the index is replaced, so
// a crash at any line leaves the old state or the new one. What no image of the
// index needs is stale: references are derived from the manifests and never
// counted by hand. A transaction pins what it has made until its image is in
// the index.
//
// Reading (Resolve, Inspect, List) works on an immutable snapshot in memory.
// Locks are taken in this order: a flight (one per digest, held over I/O, so
// that concurrent transfers share their work), then Store.mu.
package image
