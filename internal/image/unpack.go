package image

import (
	"context"
	"io"

	"github.com/virga-cloud/virga/internal/linux/tree"
)

// Unpack reads a tar of files, plain or with gzip or zstd, into a directory,
// as strictly as a layer of an image: no entry leads out of the directory or
// brings a device. What compressed bytes may become is limited, unless bounded
// says that the directory is. report gets the
// bytes of files done so far; nil is nobody.
func Unpack(ctx context.Context, dir string, r io.Reader, bounded bool, report func(int64)) (err error) {
	l := Limits{}.withDefaults()
	l.Unpacked = 1 << 60
	if bounded {
		l.Ratio = 1 << 20 // holes of sparse files compress to nothing
	}
	br, c, err := sniff(source{r})
	if err != nil {
		return plainError(err)
	}
	z, err := decompress(br, c, l)
	if err != nil {
		return plainError(err)
	}
	defer z.Close()
	root, err := tree.Open(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	root.Sparse = true
	u := &unpacker{tree: root, policy: files, budget: newBudget(l), report: report}
	return plainError(u.unpack(ctx, z))
}
