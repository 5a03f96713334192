package cli

import (
	"io"
	"os"

	"github.com/spf13/pflag"
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

// archiveOutput is where a command that makes an archive writes it: a file, or
// standard output when none is named.
type archiveOutput struct{ file string }

func (o *archiveOutput) register(f *pflag.FlagSet) {
	f.StringVarP(&o.file, "output", "o", "", "`file` to write to (default standard output)")
}

// write writes what open returns.
func (o *archiveOutput) write(a *App, open func() (io.ReadCloser, error)) error {
	if _, tty := terminal(a.Out); tty && o.file == "" {
		return api.Invalid("output", "an archive is not written to a terminal").WithHint("use -o FILE or a pipe")
	}
	archive, err := open()
	if err != nil {
		return err
	}
	defer archive.Close()
	if o.file == "" {
		_, err = io.Copy(a.Out, archive)
		return err
	}
	return writeFile(o.file, archive)
}

// writeFile writes r to a file that appears under its name only when whole.
func writeFile(path string, r io.Reader) error {
	part := path + ".part"
	f, err := os.Create(part)
	if err != nil {
		return fileError("output", path, err)
	}
	defer os.Remove(part) // gone already when all went well
	if _, err := io.Copy(f, r); err != nil {
		_ = f.Close() // it is thrown away
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(part, path)
}
