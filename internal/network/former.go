package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// former remembers what settings of the node itself were before virga changed
// them, in a file that outlives a reboot. A setting is recorded before it is
// changed, and only once.
//
//	file:  a JSON array of {"path", "was", "set"}, oldest first
type former struct {
	file string // "" remembers nothing
	root string // of the settings: /proc/sys
}

// changedSetting is one setting that virga changed.
type changedSetting struct {
	Path string `json:"path"` // below root
	Was  string `json:"was"`
	Set  string `json:"set"`
}

const settingsRoot = "/proc/sys"

// set changes a setting. One that is so already is left alone, and reports
// false.
func (f former) set(path, value string) (changed bool, err error) {
	was, err := f.read(path)
	if err != nil || was == value {
		return false, err
	}
	if err := f.remember(changedSetting{path, was, value}); err != nil {
		return false, fmt.Errorf("remember setting %s: %w", path, err)
	}
	return true, f.write(path, value)
}

func (f former) read(path string) (string, error) {
	b, err := os.ReadFile(filepath.Join(f.root, path))
	if err != nil {
		return "", fmt.Errorf("read setting %s: %w", path, err)
	}
	return strings.TrimSpace(string(b)), nil
}

func (f former) write(path, value string) error {
	if err := os.WriteFile(filepath.Join(f.root, path), []byte(value), 0); err != nil {
		return fmt.Errorf("change setting %s: %w", path, err)
	}
	return nil
}

func (f former) remember(c changedSetting) error {
	if f.file == "" {
		return nil
	}
	list, err := f.list()
	if err != nil || slices.ContainsFunc(list, func(o changedSetting) bool { return o.Path == c.Path }) {
		return err
	}
	b, err := json.Marshal(append(list, c))
	if err != nil {
		return err
	}
	tmp, err := os.OpenFile(f.file+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), f.file)
}

func (f former) list() (list []changedSetting, err error) {
	b, err := os.ReadFile(f.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	return list, err
}

// restore puts back, the last changed first, what nobody has changed since,
// and forgets it.
func (f former) restore(log *slog.Logger) error {
	list, err := f.list()
	if err != nil {
		return fmt.Errorf("read the former settings of the node: %w", err)
	}
	for _, c := range slices.Backward(list) {
		if now, err := f.read(c.Path); err != nil || now != c.Set {
			continue // a link that is gone, or someone else's value
		}
		if err := f.write(c.Path, c.Was); err != nil {
			return err
		}
		log.Info("put a setting of the node back", "setting", c.Path, "value", c.Was)
	}
	return os.RemoveAll(f.file)
}

// RestoreSettings puts the settings back that a Fabric whose Config named file
// has changed. Where other bridges need forwarding too, such as those of
// another virga or of Docker, they stay, and are said.
func RestoreSettings(file string, log *slog.Logger) error {
	f := former{file, settingsRoot}
	list, err := f.list()
	if err == nil && len(list) == 0 {
		return nil
	}
	if others := bridges(); len(others) > 0 {
		log.Info("settings of the node stay, for others may need them", "bridges", others, "settings", list)
		return os.RemoveAll(file)
	}
	return f.restore(log)
}

// bridges are the names of those on the node.
func bridges() (names []string) {
	links, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, l := range links {
		if _, err := os.Stat("/sys/class/net/" + l.Name + "/bridge"); err == nil {
			names = append(names, l.Name)
		}
	}
	return names
}
