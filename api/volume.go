package api

// Volume is named storage that outlives instances.
type Volume struct {
	Meta
	Node string `json:"node"`
	// Anonymous volumes are removed with the instance they were made for.
	Anonymous bool `json:"anonymous,omitempty"`
	// Size is the enforced limit in bytes, 0 for none.
	Size int64 `json:"size,omitempty"`
	// Path is where the volume's files lie on the node.
	Path   string   `json:"path"`
	UsedBy []string `json:"usedBy,omitempty"` // names of instances; computed when read
}
