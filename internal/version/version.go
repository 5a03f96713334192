// Package version names the build. The linker sets it.
package version

// Version is a tag, or a tag and a commit, or "dev" for a build by hand.
var Version = "dev"
