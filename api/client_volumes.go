package api

import (
	"context"
	"io"
	"iter"
	"net/url"
	"strconv"
)

// SnapshotRequest asks for a copy of a volume.
type SnapshotRequest struct {
	Name   string            `json:"name,omitempty" doc:"Name of the snapshot; default the volume's with the time"`
	Labels map[string]string `json:"labels,omitempty"`
}

// RestoreRequest says what becomes of a snapshot.
type RestoreRequest struct {
	Volume string `json:"volume,omitempty" doc:"Volume to make, or whose content is replaced; default the one the snapshot was taken of"`
	Size   int64  `json:"size,omitempty" minimum:"0" doc:"Limit in bytes of a new volume; default the snapshot's"`
}

// SnapshotVolume copies a volume into a new one; the last message has it.
func (c *Client) SnapshotVolume(ctx context.Context, name string, r SnapshotRequest) iter.Seq2[Progress, error] {
	return c.transfer(ctx, "/volumes/"+esc(name)+"/snapshot", nil, r, nil)
}

// RestoreVolume makes the content of a new or an unused volume that of a
// snapshot, or of another volume; the last message has it.
func (c *Client) RestoreVolume(ctx context.Context, snapshot string, r RestoreRequest) iter.Seq2[Progress, error] {
	return c.transfer(ctx, "/volumes/"+esc(snapshot)+"/restore", nil, r, nil)
}

// ImportVolume makes the content of a new volume of that size that of a tar,
// or with replace of one that is there; the last message has it.
func (c *Client) ImportVolume(ctx context.Context, name string, size int64, replace bool, archive io.Reader) iter.Seq2[Progress, error] {
	q := url.Values{"name": {name}}
	if size > 0 {
		q.Set("size", strconv.FormatInt(size, 10))
	}
	if replace {
		q.Set("replace", "true")
	}
	return c.transfer(ctx, "/volumes/import", q, nil, archive)
}

// ExportVolume returns the files of a volume as a tar, with zstd when
// compression is that and plain when it is none.
func (c *Client) ExportVolume(ctx context.Context, name, compression string) (io.ReadCloser, error) {
	return c.download(ctx, "/volumes/"+esc(name)+"/export", url.Values{"compression": {compression}})
}
