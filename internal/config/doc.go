// Package config holds the daemon's settings: one table of them that the
// configuration file, the flags and their documentation are all read from.
//
// A flag wins over the file, the file over the default. Names of what the
// daemon makes on the node (bridge, nftables table, cgroup) derive from the
// data directory, so that several daemons with different ones do not meet.
package config
