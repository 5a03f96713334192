package api

// MetadataMode is how the metadata service answers an instance.
type MetadataMode string

const (
	MetadataV1  MetadataMode = "v1"  // with and without a session's token
	MetadataV2  MetadataMode = "v2"  // only with a token
	MetadataOff MetadataMode = "off" // not at all
)

// MetadataOptions are how the metadata service at 169.254.169.254 treats an
// instance.
type MetadataOptions struct {
	Mode     MetadataMode `json:"mode,omitempty" enum:"v1,v2,off" doc:"v2 needs a session's token, v1 does not; default v2"`
	HopLimit int          `json:"hopLimit,omitempty" minimum:"0" maximum:"64" doc:"Hops that a token may travel; default 1"`
	HideTags bool         `json:"hideTags,omitempty" doc:"Do not show the instance's labels"`
}
