package container

import (
	"context"
	"io"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// ReadFiles implements node.Engine.
func (e *Engine) ReadFiles(ctx context.Context, t engine.Task, path string, w io.Writer) error {
	return api.Errorf(api.CodeNotSupported, "files of instances cannot be read yet")
}

// WriteFiles implements node.Engine.
func (e *Engine) WriteFiles(ctx context.Context, t engine.Task, path string, r io.Reader) error {
	return api.Errorf(api.CodeNotSupported, "files of instances cannot be written yet")
}
