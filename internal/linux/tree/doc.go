// Package tree writes a tree of files below one directory on behalf of an
// archive that is not trusted.
//
// Every name is resolved by the kernel with the directory as its root
// (openat2 with RESOLVE_IN_ROOT): "..", absolute names and symbolic links, also
// ones that the archive itself made a moment ago, end inside the tree. Entries
// are made relative to a directory handle and never through an existing last
// component, so nothing outside can be opened, replaced or changed.
//
// A Tree belongs to one goroutine.
package tree
