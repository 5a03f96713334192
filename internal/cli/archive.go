package cli

import (
	"io"
	"os"

	"github.com/virga-cloud/virga/api"
)

// openArchive opens the file an import is to read; "-" is standard input.
func (a *App) openArchive(name string) (io.ReadCloser, error) {
	if name == "-" {
		if _, tty := terminal(a.In); tty {
			return nil, api.Invalid("file", "standard input is a terminal, not an archive")
		}
		return io.NopCloser(a.In), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, api.Invalid("file", "%s: %s", name, reason(err))
	}
	return f, nil
}

// writeArchive writes what open returns to a file, or to standard output when
// it is not named.
func (a *App) writeArchive(output string, open func() (io.ReadCloser, error)) error {
	if _, tty := terminal(a.Out); tty && output == "" {
		return api.Invalid("output", "an archive is not written to a terminal").WithHint("use -o FILE or a pipe")
	}
	tar, err := open()
	if err != nil {
		return err
	}
	defer tar.Close()
	if output == "" {
		_, err = io.Copy(a.Out, tar)
		return err
	}
	return writeFile(output, tar)
}
