package api

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"time"
)

// Volume is named storage that outlives instances.
type Volume struct {
	Meta
	Node string `json:"node"`
	// Anonymous volumes are removed with the instance they were made for.
	Anonymous bool `json:"anonymous,omitempty"`
	// Size is the enforced limit in bytes, 0 for none.
	Size int64 `json:"size,omitempty"`
	// Access says who may mount it, "" is shared.
	Access Access `json:"access,omitempty" enum:"shared,exclusive,read-only"`
	// Snapshot says of what and when it is a copy; nil for a volume that is none.
	Snapshot *Snapshot `json:"snapshot,omitempty"`
	// Path is where the volume's files lie on the node.
	Path   string     `json:"path"`
	UsedBy []string   `json:"usedBy,omitempty"` // names of instances; computed when read
	Usage  *DiskUsage `json:"usage,omitempty"`  // of one with a size; computed when read
}

// AnonymousVolume is the name of the volume that an instance of that id has at
// target when the mount names none: the same in each of its lives.
func AnonymousVolume(instance, target string) string {
	sum := sha256.Sum256([]byte(path.Clean(target)))
	return instance + "-" + hex.EncodeToString(sum[:6])
}

// Access is how many instances may use a volume at a time.
type Access string

const (
	AccessShared    Access = "shared"    // any number, and all may write
	AccessExclusive Access = "exclusive" // one that writes, or any number that read
	AccessReadOnly  Access = "read-only" // any number, and none may write
)

// Snapshot is what a copy of a volume is worth.
type Snapshot struct {
	Of   string    `json:"of"`   // id of the volume
	Name string    `json:"name"` // its name then
	Time time.Time `json:"time"`
	CopyReport
}

// CopyReport says how a volume was copied.
type CopyReport struct {
	// Method is reflink when no data was copied, because the file system
	// shares it.
	Method CopyMethod `json:"method" enum:"reflink,copy"`
	// Consistency is what the copy shows of writes that happened meanwhile.
	Consistency Consistency `json:"consistency" enum:"idle,frozen,files"`
	// Frozen is how long writes to the volume waited.
	Frozen Duration `json:"frozen,omitempty"`
	// Skipped counts sockets and devices, which are not copied.
	Skipped int `json:"skipped,omitempty"`
}

// CopyMethod is how data is copied.
type CopyMethod string

const (
	CopyReflink CopyMethod = "reflink"
	CopyData    CopyMethod = "copy"
)

// Consistency is what a copy guarantees.
type Consistency string

const (
	// ConsistencyIdle: nobody used the volume.
	ConsistencyIdle Consistency = "idle"
	// ConsistencyFrozen: writes waited, so that it is the volume at one
	// moment, as after a power cut: programs repair it as they do then.
	ConsistencyFrozen Consistency = "frozen"
	// ConsistencyFiles: instances wrote meanwhile. Each file is as it was at
	// some moment, not all at the same one.
	ConsistencyFiles Consistency = "files"
)
