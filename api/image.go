package api

import "time"

// HelloImage is the image every node has without a registry.
const HelloImage = "virga/hello"

// Image is an OCI image in a node's store.
type Image struct {
	ID       string            `json:"id"`     // digest of the configuration, sha256:…
	Digest   string            `json:"digest"` // digest of the manifest
	Names    []string          `json:"names"`  // references that point to it, with tag
	Size     int64             `json:"size"`   // bytes of its layers, unpacked
	Created  time.Time         `json:"created,omitzero"`
	Platform string            `json:"platform"` // os/arch[/variant]
	Labels   map[string]string `json:"labels,omitempty"`
	Config   ImageConfig       `json:"config"`
	Layers   []ImageLayer      `json:"layers"` // bottom first
	InUse    int               `json:"inUse"`  // instances that use it
}

// ImageConfig is what an image says about running it.
type ImageConfig struct {
	Entrypoint   []string     `json:"entrypoint,omitempty"`
	Command      []string     `json:"command,omitempty"`
	Env          []string     `json:"env,omitempty"`
	WorkingDir   string       `json:"workingDir,omitempty"`
	User         string       `json:"user,omitempty"`
	ExposedPorts []string     `json:"exposedPorts,omitempty"`
	Volumes      []string     `json:"volumes,omitempty"`
	StopSignal   string       `json:"stopSignal,omitempty"`
	Health       *HealthCheck `json:"health,omitempty"`
}

// ImageLayer is one layer of an image.
type ImageLayer struct {
	DiffID string `json:"diffID"` // digest of the unpacked tar
	Digest string `json:"digest"` // digest of the blob as stored
	Size   int64  `json:"size"`   // bytes unpacked
}

// ImageStep is one step of how an image was made, as its configuration tells.
type ImageStep struct {
	Created   time.Time `json:"created,omitzero"`
	CreatedBy string    `json:"createdBy,omitempty"` // the instruction of a Dockerfile or the like
	Author    string    `json:"author,omitempty"`
	Comment   string    `json:"comment,omitempty"`
	DiffID    string    `json:"diffID,omitempty"` // of the layer it made; "" when it made none
	Size      int64     `json:"size"`             // bytes of that layer, unpacked
}

// LoginRequest asks a node whether a registry accepts a credential.
type LoginRequest struct {
	Registry string `json:"registry" doc:"HOST[:PORT]; docker.io is Docker's"`
	// Insecure allows plain HTTP to other hosts than loopback.
	Insecure bool         `json:"insecure,omitempty"`
	Auth     RegistryAuth `json:"auth"`
}

// PullRequest asks a node to fetch an image.
type PullRequest struct {
	Reference string `json:"reference"`
	Platform  string `json:"platform,omitempty" doc:"Default the node's"`
	// Insecure allows plain HTTP to other hosts than loopback.
	Insecure bool          `json:"insecure,omitempty"`
	Auth     *RegistryAuth `json:"auth,omitempty"`
}

// PushRequest asks a node to send an image to a registry.
type PushRequest struct {
	Image     string        `json:"image"`
	Reference string        `json:"reference,omitempty" doc:"Default the image's own name"`
	Insecure  bool          `json:"insecure,omitempty"`
	Auth      *RegistryAuth `json:"auth,omitempty"`
}

// RegistryAuth is a registry's credential, as Docker's configuration has it.
type RegistryAuth struct {
	Username string `json:"username,omitempty"`
	Password Secret `json:"password,omitempty"`
	Token    Secret `json:"token,omitempty"`
}

// Secret is a string that does not show itself in logs.
type Secret string

func (Secret) String() string   { return "[redacted]" }
func (Secret) GoString() string { return "[redacted]" }

// Progress is one step of a long transfer, streamed while it runs.
type Progress struct {
	// ID names the part, such as a layer's short digest; "" is the whole.
	ID      string `json:"id,omitempty"`
	Action  string `json:"action"`            // "downloading", "unpacking", "exists", "done"
	Current int64  `json:"current,omitempty"` // bytes
	Total   int64  `json:"total,omitempty"`   // bytes, 0 while unknown
	// Image, or Volume, is set in the last message of a transfer that went well, Error in
	// that of one that failed. An import of several images has each in a message
	// of its own before that.
	Image  *Image  `json:"image,omitempty"`
	Volume *Volume `json:"volume,omitempty"`
	Error  *Error  `json:"error,omitempty"`
}

// ExportFormat is the archive that an image is written as.
type ExportFormat string

const (
	ExportOCI    ExportFormat = "oci"    // tar of an OCI image layout
	ExportDocker ExportFormat = "docker" // what docker load reads
)

// PruneReport says what a prune took away.
type PruneReport struct {
	Removed []string `json:"removed"`
	Bytes   int64    `json:"bytes"`
}
