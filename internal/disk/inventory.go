package disk

import (
	"context"
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/disk"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// Kinds of resources that disks stand on. Their files lie in the directories
// of their owners.
const (
	kindMount = "mount"
	kindLoop  = "loop device"
)

// Resources lists the mounts and the loop devices of the disks below base.
func (s *Store) Resources(context.Context) ([]api.Resource, error) {
	var all []api.Resource
	for _, m := range mount.Below(s.base) {
		if owner := s.owner(m); owner != "" {
			all = append(all, api.Resource{Kind: kindMount, Name: m, Owner: owner})
		}
	}
	loops, err := disk.Loops()
	if err != nil {
		return nil, fmt.Errorf("list loop devices: %w", err)
	}
	for _, l := range loops {
		if owner := s.owner(l.File); owner != "" {
			all = append(all, api.Resource{Kind: kindLoop, Name: l.Device, Owner: owner})
		}
	}
	return all, nil
}

// Collect gives one back. Idempotent.
func (s *Store) Collect(_ context.Context, r api.Resource) error {
	switch r.Kind {
	case kindMount:
		if s.owner(r.Name) == "" {
			return api.Errorf(api.CodeInvalid, "%s is not a mount of this node's", r.Name)
		}
		return s.Unmount(r.Name)
	case kindLoop:
		loops, err := disk.Loops()
		if err != nil {
			return err
		}
		for _, l := range loops {
			if l.Device == r.Name && s.owner(l.File) != "" {
				return l.Release()
			}
		}
		return nil
	}
	return api.Errorf(api.CodeInvalid, "%s %s is not a disk's", r.Kind, r.Name)
}
