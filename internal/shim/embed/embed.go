package embed

import (
	"embed"
	"errors"
	"fmt"
)

//go:embed all:files
var files embed.FS

// ErrAbsent says that this program was compiled without the supervisor.
var ErrAbsent = errors.New("virga-shim is not part of this build: run make build")

// Binary returns the executable of virga-shim.
func Binary() ([]byte, error) {
	b, err := files.ReadFile("files/virga-shim")
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrAbsent, err)
	}
	return b, nil
}
