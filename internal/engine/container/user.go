package container

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/user"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// maxAccounts bounds what is read of an image's /etc/passwd and /etc/group.
const maxAccounts = 4 << 20

// identity is who a process runs as, inside the instance.
type identity struct {
	uid, gid uint32
	groups   []uint32
	home     string
}

func (e *Engine) user(_ context.Context, t engine.Task, v *view, p *prepared) error {
	id, err := lookup(v.Root, t.User, t.Spec.Groups, t.Sandbox.UserNS != nil)
	if err != nil {
		return err
	}
	p.become(id)
	return nil
}

// become makes p run as id.
func (p *prepared) become(id identity) {
	p.UID, p.GID, p.Groups = id.uid, id.gid, id.groups
	if !slices.ContainsFunc(p.Env, func(kv string) bool { return strings.HasPrefix(kv, "HOME=") }) {
		p.Env = append(slices.Clip(p.Env), "HOME="+id.home)
	}
}

// lookup finds user[:group] in the accounts of a root, as Docker does: a
// number needs no account, a name does.
func lookup(root mount.Root, spec string, extra []string, shifted bool) (identity, error) {
	passwd, err := accounts(root, "/etc/passwd")
	if err != nil {
		return identity{}, err
	}
	var group []byte
	if spec != "" || len(extra) > 0 {
		if group, err = accounts(root, "/etc/group"); err != nil {
			return identity{}, err
		}
	}
	id, err := identify(spec, extra, passwd, group)
	if err != nil {
		return id, err
	}
	// One shifted id less: the last is the kernel's for nobody at all.
	limit := uint32(1) << 31
	if shifted {
		limit = 1 << 16
	}
	for _, n := range append([]uint32{id.uid, id.gid}, id.groups...) {
		if n >= limit {
			return id, api.Invalid("spec.user", "user %q: id %d is not among the %d ids of an instance", spec, n, limit).
				WithHint("use a smaller id, or run with the node's own user namespace")
		}
	}
	return id, nil
}

// accounts reads a file of accounts; a missing one is empty.
func accounts(root mount.Root, path string) ([]byte, error) {
	b, err := root.ReadFile(path, maxAccounts)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	return nil, api.Invalid("spec.image", "%s of the image cannot be read: %v", path, rootCause(err))
}

// identify is lookup in the contents of the two files.
func identify(spec string, extra []string, passwd, group []byte) (identity, error) {
	who, err := user.GetExecUser(spec, &user.ExecUser{Home: "/"}, bytes.NewReader(passwd), bytes.NewReader(group))
	if err != nil {
		return identity{}, api.Invalid("spec.user", "user %q: %v", spec, err).
			WithHint("name a user of the image's /etc/passwd, or a number")
	}
	more, err := user.GetAdditionalGroups(extra, bytes.NewReader(group))
	if err != nil {
		return identity{}, api.Invalid("spec.groups", "groups %s: %v", strings.Join(extra, ", "), err).
			WithHint("name groups of the image's /etc/group, or numbers")
	}
	id := identity{uid: uint32(who.Uid), gid: uint32(who.Gid), home: who.Home}
	for _, g := range append(who.Sgids, more...) {
		if g < 0 || g > 1<<31 {
			return identity{}, api.Invalid("spec.groups", "group %s is out of range", strconv.Itoa(g))
		}
		id.groups = append(id.groups, uint32(g))
	}
	slices.Sort(id.groups)
	id.groups = slices.Compact(id.groups)
	const kernelLimit = 65536
	if len(id.groups) > kernelLimit {
		return identity{}, api.Invalid("spec.user", "user %q is in %d groups, at most %d are possible", spec, len(id.groups), kernelLimit)
	}
	return id, nil
}
