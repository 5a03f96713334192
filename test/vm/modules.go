package vm

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// Needed are the modules the guest loads before the tests, so that nothing
// has to be loaded on demand.
var Needed = []string{
	"virtio_pci", "virtio_blk", "virtio_net",
	"overlay", "fuse", "loop", "quota_v2",
	"veth", "bridge", "br_netfilter", "dummy", "tun", "ifb",
	"nf_tables", "nf_conntrack_netlink", "nft_chain_nat", "nft_nat", "nft_masq", "nft_redir", "nft_ct", "nft_fib_inet",
	"nft_reject_inet", "nft_limit", "nft_log", "nft_numgen", "nft_hash", "nft_objref", "nft_quota", "nft_meta_bridge",
	"sch_tbf", "sch_htb", "sch_ingress", "cls_u32", "cls_matchall", "cls_bpf", "act_police", "act_mirred", "sch_netem",
	"inet_diag", "tcp_diag", "unix_diag",
}

// LoadOrder returns the files of the modules with the names and of all that
// they depend on, each after those that it needs. A module that the kernel
// has built in has no file and is left out.
func LoadOrder(dir string, names []string) ([]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(filepath.Base(path), ".ko"); ok {
			files[strings.ReplaceAll(name, "-", "_")] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var order []string
	done := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		path := files[name]
		if done[name] || path == "" {
			return nil
		}
		done[name] = true
		depends, err := dependsOn(path)
		if err != nil {
			return err
		}
		for _, d := range depends {
			if err := add(strings.ReplaceAll(d, "-", "_")); err != nil {
				return err
			}
		}
		order = append(order, path)
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// dependsOn reads a module's own list of the modules whose symbols it uses.
func dependsOn(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", path, err)
	}
	defer f.Close()
	info := f.Section(".modinfo")
	if info == nil {
		return nil, fmt.Errorf("module %s: no .modinfo", path)
	}
	b, err := info.Data()
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", path, err)
	}
	for field := range strings.SplitSeq(string(b), "\x00") {
		if list, ok := strings.CutPrefix(field, "depends="); ok && list != "" {
			return strings.Split(list, ","), nil
		}
	}
	return nil, nil
}
