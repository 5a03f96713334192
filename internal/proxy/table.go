package proxy

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// table finds the pool for a request. It is never changed once made.
type table struct {
	exact    map[string][]entry // by host
	wildcard map[string][]entry // by the host without its first label
	any      []entry
	pools    map[string]*pool
}

// entry is one path of a host; the lists are sorted, the longest path first.
type entry struct {
	path  string
	strip bool
	pool  *pool
}

func newTable(routes []Route, pools map[string]*pool) *table {
	t := &table{exact: map[string][]entry{}, wildcard: map[string][]entry{}, pools: pools}
	for _, r := range routes {
		p := pools[r.Pool]
		if p == nil {
			continue
		}
		e := entry{strings.TrimSuffix(r.Path, "/"), r.StripPath, p}
		host := strings.ToLower(r.Host)
		switch {
		case host == "":
			t.any = append(t.any, e)
		case strings.HasPrefix(host, "*."):
			t.wildcard[host[2:]] = append(t.wildcard[host[2:]], e)
		default:
			t.exact[host] = append(t.exact[host], e)
		}
	}
	longest := func(list []entry) {
		slices.SortStableFunc(list, func(a, b entry) int { return cmp.Compare(len(b.path), len(a.path)) })
	}
	for _, l := range t.exact {
		longest(l)
	}
	for _, l := range t.wildcard {
		longest(l)
	}
	longest(t.any)
	return t
}

// match is the route for a host, in any case and with or without a port, and a
// path without its query.
func (t *table) match(host, path []byte) *entry {
	if len(t.exact)+len(t.wildcard) > 0 {
		host = hostname(host)
		var lower [256]byte
		if len(host) <= len(lower) {
			h := lower[:copy(lower[:], host)]
			for i, c := range h {
				if 'A' <= c && c <= 'Z' {
					h[i] = c + 'a' - 'A'
				}
			}
			if e := find(t.exact[string(h)], path); e != nil {
				return e
			}
			if i := bytes.IndexByte(h, '.'); i >= 0 {
				if e := find(t.wildcard[string(h[i+1:])], path); e != nil {
					return e
				}
			}
		}
	}
	return find(t.any, path)
}

// hostname is a Host field without its port.
func hostname(h []byte) []byte {
	if len(h) > 0 && h[0] == '[' {
		if i := bytes.IndexByte(h, ']'); i > 0 {
			return h[1:i]
		}
	}
	if i := bytes.LastIndexByte(h, ':'); i >= 0 {
		return h[:i]
	}
	return h
}

func find(list []entry, path []byte) *entry {
	for i := range list {
		p := list[i].path
		if p == "" || len(path) >= len(p) && string(path[:len(p)]) == p && (len(path) == len(p) || path[len(p)] == '/') {
			return &list[i]
		}
	}
	return nil
}
