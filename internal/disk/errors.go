package disk

import (
	"errors"
	"syscall"

	"github.com/virga-cloud/virga/api"
)

// full turns an error about missing space into one that says where.
func full(err error, dir string) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return api.Errorf(api.CodeInsufficientCapacity, "no space is left for %s: %v", dir, err).
			WithHint("ask for a larger size, or free space on the node")
	}
	return err
}

func isNotEmpty(err error) bool { return errors.Is(err, syscall.ENOTEMPTY) }
