package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	copyfs "github.com/containerd/continuity/fs"

	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// copyUp fills a new volume with what the image has where it is mounted, with
// owners, modes and extended attributes.
func (e *Engine) copyUp(_ context.Context, t engine.Task, m engine.Mount) error {
	image, err := mount.Layers(t.Layers)
	if err != nil {
		return err
	}
	defer image.Close()
	from, err := mount.Root{Dir: image}.Open(m.Target, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer from.Close()
	if st, err := from.Stat(); err != nil || !st.IsDir() {
		return err
	}
	return copyfs.CopyDir(m.Host, fmt.Sprintf("/proc/self/fd/%d/.", from.Fd()))
}
